// Files of testdata/sops: encrypted by another program, decrypted with the real `age`.
#include "controller/secrets/encrypted_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "base/testing/scratch_folder.h"
#include "controller/secrets/sops_file.h"

namespace fairlead::secrets {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

std::string Fixture(const std::string& name) {
  const auto content = base::ReadFile(absl::StrCat(FAIRLEAD_SOURCE_DIR, "/testdata/sops/", name));
  EXPECT_TRUE(content.ok()) << content.status();
  return content.value_or("");
}

base::SubprocessResult RunProgram(const std::vector<std::string>& argv,
                                  const std::string& input = "") {
  const auto result = base::RunSubprocess({.argv = argv, .input = input});
  EXPECT_TRUE(result.ok()) << result.status();
  return result.value_or(base::SubprocessResult());
}

// Fails the test when there is one without a value.
std::map<std::string, std::string> ValuesOf(const resources::ParsedFile& file) {
  std::map<std::string, std::string> values;
  for (const auto& [name, value] : file.variables) {
    EXPECT_TRUE(value.is_secret) << name;
    if (value.why_none.empty()) values[name] = value.value;
  }
  return values;
}

class EncryptedFilesTest : public ::testing::Test {
 protected:
  EncryptedFilesTest() { WriteKey(Fixture("age.key")); }
  void WriteKey(const std::string& text, unsigned mode = 0600) {
    EXPECT_TRUE(base::WriteFileAtomically(key_file_, text, mode).ok());
  }
  resources::ParsedFile Read(const std::string& path, const std::string& content) const {
    return EncryptedFiles(key_file_).Read(path, content);
  }
  // Every name without a value, for one reason that a warning says too.
  void ExpectClosed(const resources::ParsedFile& file, const std::string& why) {
    ASSERT_THAT(file.problems, SizeIs(1));
    EXPECT_THAT(file.problems[0].message(), HasSubstr(why));
    EXPECT_EQ(file.problems[0].severity(), v1::SEVERITY_WARNING);
    EXPECT_EQ(file.problems[0].code(), "encrypted-file");
    EXPECT_TRUE(!file.variables.empty() || !file.sealed.empty());
    for (const auto& [name, value] : file.variables) {
      EXPECT_THAT(value.value, IsEmpty()) << name;
      EXPECT_THAT(value.why_none, AllOf(HasSubstr(file.path), HasSubstr(why))) << name;
    }
  }

  base::ScratchFolder folder_;
  const std::string key_file_ = folder_.path() + "/age.key";
};

TEST_F(EncryptedFilesTest, ReadsJsonOfSops) {
  const resources::ParsedFile file = Read("a/values.sops.json", Fixture("values.sops.json"));
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_THAT(
      ValuesOf(file),
      UnorderedElementsAre(Pair("DB_PASSWORD", "correct horse"), Pair("db.user", "app"),
                           Pair("db.port", "5432"), Pair("db.ratio", "0.1"), Pair("db.tls", "true"),
                           Pair("hosts.0", "a.example.org"), Pair("hosts.1", "b.example.org"),
                           Pair("region_unencrypted", "north"), Pair("weight_unencrypted", "2.5"),
                           Pair("key", "line one\nline two\n")));
  EXPECT_THAT(file.variables.at("empty").why_none, HasSubstr("the value is empty"));
}

TEST_F(EncryptedFilesTest, ReadsDotenvOfSopsWhoseMacCoversWhatIsEncrypted) {
  const resources::ParsedFile file = Read("shop.sops.env", Fixture("shop.sops.env"));
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_THAT(ValuesOf(file), UnorderedElementsAre(Pair("SHOP_TOKEN", "tok=en, with: marks]"),
                                                   Pair("SHOP_REGION_unencrypted", "south"),
                                                   Pair("SHOP_KEY", "one\ntwo\n")));
}

TEST_F(EncryptedFilesTest, ReadsWholeFilesOfAge) {
  EXPECT_THAT(ValuesOf(Read("whole.env.age", Fixture("whole.env.age"))),
              UnorderedElementsAre(Pair("WHOLE_TOKEN", "sealed value"), Pair("WHOLE_KEY", "a=b")));
  const std::string recipient(
      absl::StripAsciiWhitespace(RunProgram({"age-keygen", "-y", key_file_}).out));
  const std::string json =
      RunProgram({"age", "--recipient", recipient}, R"({"A": "x", "in": {"B": true, "C": 3}})").out;
  EXPECT_THAT(ValuesOf(Read("b.json.age", json)),
              UnorderedElementsAre(Pair("A", "x"), Pair("in.B", "true"), Pair("in.C", "3")));
}

TEST_F(EncryptedFilesTest, RefusesWhatWasChangedWithoutSops) {
  const std::string json = Fixture("values.sops.json");
  ExpectClosed(Read("v.sops.json", absl::StrReplaceAll(json, {{"\"north\"", "\"south\""}})),
               "its MAC does not fit");
  // A value in the place of another one.
  ExpectClosed(Read("v.sops.json", absl::StrReplaceAll(json, {{"\"DB_PASSWORD\"", "\"OTHER\""}})),
               "value \"OTHER\": it does not fit the data key or its place");
  ExpectClosed(Read("v.sops.json", absl::StrReplaceAll(json, {{"2026-11-01", "2026-11-02"}})),
               "its MAC");
  // One value less.
  std::string less = Fixture("shop.sops.env");
  less.erase(less.find("SHOP_KEY="), less.find("sops_age") - less.find("SHOP_KEY="));
  ExpectClosed(Read("v.sops.env", less), "its MAC does not fit");
}

TEST_F(EncryptedFilesTest, SaysThatAFileIsNotEncryptedAtAll) {
  for (const auto& [path, content] :
       std::map<std::string, std::string>{{"a.sops.json", R"({"PW": "hunter22"})"},
                                          {"a.sops.env", "PW=hunter22\n"},
                                          {"a.env.age", "PW=hunter22\n"}}) {
    const resources::ParsedFile file = Read(path, content);
    ExpectClosed(file, "encrypted");
    EXPECT_THAT(file.sealed, AllOf(HasSubstr(path), Not(HasSubstr("hunter22"))));
  }
  ExpectClosed(Read("a.sops.json", "{"), "it is not JSON");
  ExpectClosed(Read("a.env.age", "PW=hunter22\n"), "age");
}

TEST_F(EncryptedFilesTest, SaysWhatIsWrongWithTheKey) {
  const std::string json = Fixture("values.sops.json");
  WriteKey(Fixture("age.key"), 0644);
  ExpectClosed(Read("v.sops.json", json), "--age-key");
  WriteKey("not a key\n");
  ExpectClosed(Read("v.sops.json", json), "holds no age identity");
  WriteKey(RunProgram({"age-keygen"}).out);
  ExpectClosed(Read("v.sops.json", json), "no identity matched");
  ExpectClosed(Read("whole.env.age", Fixture("whole.env.age")), "no identity matched");
  ExpectClosed(EncryptedFiles("").Read("v.sops.json", json), "--age-key FILE");
  ExpectClosed(EncryptedFiles(folder_.path() + "/none").Read("v.sops.json", json), "--age-key");
}

TEST_F(EncryptedFilesTest, ANameThatNothingCanUseIsAWarning) {
  const std::string recipient(
      absl::StripAsciiWhitespace(RunProgram({"age-keygen", "-y", key_file_}).out));
  const resources::ParsedFile file = Read(
      "b.json.age", RunProgram({"age", "-r", recipient}, R"({"two words": "x", "GOOD": "y"})").out);
  EXPECT_THAT(ValuesOf(file), UnorderedElementsAre(Pair("GOOD", "y")));
  ASSERT_THAT(file.problems, SizeIs(1));
  EXPECT_THAT(file.problems[0].message(),
              AllOf(HasSubstr("a key cannot be the name"), Not(HasSubstr("two words"))));
}

TEST_F(EncryptedFilesTest, NothingOfAFileOfAgeIsQuoted) {
  const std::string recipient(
      absl::StripAsciiWhitespace(RunProgram({"age-keygen", "-y", key_file_}).out));
  const auto read = [&](const std::string& text) {
    return Read("t.env.age", RunProgram({"age", "-r", recipient}, text).out);
  };
  for (const char* const text : {"A=b\nsEcr/eT+0=\n", "A=b\nPASSWORD: sEcr/eT=\n", "A=b\nsEcreT\n",
                                 "sEcreT=b\nsEcreT=c\n"}) {
    const resources::ParsedFile file = read(text);
    ExpectClosed(file, "line 2");
    EXPECT_THAT(file.sealed, Not(HasSubstr("sEcr")));
    EXPECT_THAT(file.problems[0].message(), Not(HasSubstr("sEcr")));
    EXPECT_THAT(file.variables, IsEmpty());
  }
}

TEST_F(EncryptedFilesTest, ANameThatStandsTwiceClosesTheFile) {
  // The MAC covers neither: what is not encrypted, and what is empty.
  ExpectClosed(Read("v.sops.env", absl::StrCat("SHOP_TOKEN=mine\n", Fixture("shop.sops.env"))),
               "named twice");
  ExpectClosed(Read("v.sops.env", absl::StrCat(Fixture("shop.sops.env"), "SHOP_TOKEN=\n")),
               "named twice");
  const std::string json = Fixture("values.sops.json");
  const auto with = [&json](const std::string& more) {
    return absl::StrCat("{", more, ", ", json.substr(json.find('{') + 1));
  };
  ExpectClosed(Read("v.sops.json", with(R"("DB_PASSWORD": "")")), "named twice");
  ExpectClosed(Read("v.sops.json", with(R"("db.user": "")")), "\"db.user\" is named twice");
  ExpectClosed(Read("v.sops.json", with(R"("hosts.0": "")")), "\"hosts.0\" is named twice");

  for (const char* const text : {R"({"A": "x", "A": "y"})", R"({"a": {"b": "x"}, "a.b": "y"})",
                                 R"({"l": [{"a": 1, "a": 2}]})"}) {
    EXPECT_THAT(std::string(ParseJsonValues(text).status().message()), HasSubstr("named twice"));
  }
  const auto marks = ParseJsonValues(R"({"a:\"{b\\": "x:\\\":", "c": ["d:", {"a": "e"}]})");
  ASSERT_TRUE(marks.ok()) << marks.status();
  EXPECT_THAT(*marks, SizeIs(3));
  EXPECT_TRUE(absl::IsInvalidArgument(ParseDotenvValues("A=x\nB=y\nA=\n").status()));
}

TEST_F(EncryptedFilesTest, ReadsWhatTheRealSopsWrites) {
  const auto version = base::RunSubprocess({.argv = {"sops", "--version"}});
  if (!version.ok()) GTEST_SKIP() << "there is no program `sops` on PATH";
  const std::string recipient(
      absl::StripAsciiWhitespace(RunProgram({"age-keygen", "-y", key_file_}).out));
  const std::string plain = folder_.path() + "/a.json";
  ASSERT_TRUE(base::WriteFileAtomically(
                  plain, R"({"A": "x", "n": 3, "r": 0.25, "t": true, "l": ["y"], "m": {"B": "z"}})")
                  .ok());
  EXPECT_THAT(ValuesOf(Read("a.sops.json",
                            RunProgram({"sops", "--encrypt", "--age", recipient, plain}).out)),
              UnorderedElementsAre(Pair("A", "x"), Pair("n", "3"), Pair("r", "0.25"),
                                   Pair("t", "true"), Pair("l.0", "y"), Pair("m.B", "z")));
}

}  // namespace
}  // namespace fairlead::secrets
