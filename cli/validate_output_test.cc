// The forms in which `fairlead validate` tells programs what it found.
#include <boost/json.hpp>

#include "absl/strings/str_cat.h"

#include "base/subprocess.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace json = boost::json;

// What SARIF 2.1.0 demands of the parts that are there, read from its text and not from our code.
constexpr char kSarifCheck[] = R"(
import json, sys, urllib.parse
log = json.load(open(sys.argv[1]))
assert log["version"] == "2.1.0" and len(log["runs"]) == 1
run = log["runs"][0]
driver = run["tool"]["driver"]
assert driver["name"] and driver["version"]
ids = [rule["id"] for rule in driver["rules"]]
assert len(ids) == len(set(ids)) > 20
assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
assert run["results"]
for result in run["results"]:
    assert ids[result["ruleIndex"]] == result["ruleId"]
    assert result["level"] in ("none", "note", "warning", "error")
    assert result["message"]["text"]
    for location in result["locations"]:
        place = location["physicalLocation"]
        uri = urllib.parse.urlparse(place["artifactLocation"]["uri"])
        assert uri.scheme in ("", "file") and " " not in uri.path and uri.path
        region = place.get("region", {"startLine": 1})
        assert region["startLine"] >= 1 and region.get("startColumn", 1) >= 1
print(len(run["results"]))
)";

class ValidateOutputTest : public CommandTest {
 protected:
  ValidateOutputTest() { controller_.Shutdown(); }

  // A file with an error, a warning and a notice beside it.
  std::string WriteFolder() {
    Write("d/a b,c.toml",
          "[[server]]\nname = \"edge\"\n\n[[stack]]\nname = \"caf\xC3\xA9\"\nafter = [\"x:100%\"]\n"
          "config = { project_name = \"na\xC3\xAFve\", enviroment = \"A=1\" }\n"
          "[[deployment]]\nname = \"web\"\nafter = [\"x:100%\"]\n[deployment.config]\n"
          "server = \"edge\"\nimage = \"a\"\n");
    Write("d/foreign.toml", "title = 1\n");
    return folder_ + "/d";
  }
};

TEST_F(ValidateOutputTest, JsonHasExactlyTheseKeys) {
  const Outcome outcome = RunCommand({"validate", "-o", "json", WriteFolder()});
  EXPECT_EQ(outcome.code, 1);
  const json::value value = json::parse(outcome.out);
  EXPECT_EQ(value.at("files").as_int64(), 2);
  EXPECT_EQ(value.at("resources").as_int64(), 3);
  const json::array& problems = value.at("problems").as_array();
  ASSERT_EQ(problems.size(), 3u) << outcome.out;
  std::vector<std::string> keys;
  for (const auto& member : problems[0].as_object()) keys.emplace_back(member.key());
  EXPECT_THAT(keys, ElementsAre("file", "line", "column", "severity", "code", "resource", "message",
                                "suggestion"));
  EXPECT_EQ(problems[0].at("severity").as_string(), "SEVERITY_ERROR");
  EXPECT_EQ(problems[0].at("code").as_string(), "unknown-key");
  EXPECT_EQ(problems[0].at("resource").as_string(), "stack/caf\xC3\xA9");
  EXPECT_EQ(problems[0].at("line").as_int64(), 7);
  EXPECT_EQ(problems[0].at("column").as_int64(), 37);
  EXPECT_EQ(problems[2].at("code").as_string(), "foreign-file");
}

TEST_F(ValidateOutputTest, JsonOfCleanFilesHasNoProblems) {
  const std::string path = Write("a.toml", "[[server]]\nname = \"edge\"\n");
  EXPECT_EQ(RunCommand({"validate", "-o", "json", path}).out,
            "{\n \"files\": 1,\n \"resources\": 1,\n \"problems\": []\n}\n");
}

TEST_F(ValidateOutputTest, SarifIsWhatTheStandardDemands) {
  const Outcome outcome = RunCommand({"validate", "-o", "sarif", WriteFolder()});
  EXPECT_EQ(outcome.code, 1);
  const std::string path = Write("out.sarif", outcome.out);
  const auto check = base::RunSubprocess({.argv = {"python3", "-c", kSarifCheck, path}});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(check->out, "3\n") << check->err << outcome.out;
}

TEST_F(ValidateOutputTest, SarifNamesThePlaceInCharactersAndTheWayOut) {
  const Outcome outcome = RunCommand({"validate", "-o", "sarif", WriteFolder()});
  const json::value value = json::parse(outcome.out);
  const json::value& result = value.at("runs").at(0).at("results").at(0);
  EXPECT_EQ(result.at("ruleId").as_string(), "unknown-key");
  EXPECT_EQ(result.at("level").as_string(), "error");
  EXPECT_EQ(result.at("message").at("text").as_string(),
            "unknown key \"enviroment\" in [stack.config]\n"
            "Suggestion: did you mean \"environment\"?");
  const json::value& place = result.at("locations").at(0).at("physicalLocation");
  EXPECT_EQ(place.at("artifactLocation").at("uri").as_string(),
            absl::StrCat("file://", folder_, "/d/a%20b%2Cc.toml"));
  EXPECT_EQ(place.at("region").at("startLine").as_int64(), 7);
  EXPECT_EQ(place.at("region").at("startColumn").as_int64(), 36);
}

TEST_F(ValidateOutputTest, PathsBelowTheCurrentFolderAreRelative) {
  const std::filesystem::path before = std::filesystem::current_path();
  const std::string folder = WriteFolder();
  std::filesystem::current_path(folder_);
  for (const std::string& path : {folder, std::string("d"), std::string("./d/../d")}) {
    const Outcome outcome = RunCommand({"validate", "-o", "sarif", path});
    EXPECT_THAT(outcome.out, HasSubstr("\"uri\": \"d/a%20b%2Cc.toml\"")) << path;
  }
  std::filesystem::current_path(before);
}

TEST_F(ValidateOutputTest, GithubAnnotationsAreEscaped) {
  const Outcome outcome = RunCommand({"validate", "-o", "github", WriteFolder()});
  EXPECT_EQ(outcome.code, 1);
  const std::string file = absl::StrCat("file=", folder_, "/d/a b%2Cc.toml");
  EXPECT_THAT(
      outcome.out,
      AllOf(StartsWith(absl::StrCat("::error ", file, ",line=7,col=36,title=unknown-key::unknown ",
                                    "key \"enviroment\" in [stack.config]%0ASuggestion: did you ")),
            HasSubstr(absl::StrCat("\n::warning ", file, ",line=8,col=1,title=unresolved-reference",
                                   "::after names \"x:100%25\", which")),
            HasSubstr("\n::notice file="),
            HasSubstr("\n2 files, 3 resources: 1 error, 1 warning")));
}

}  // namespace
}  // namespace fairlead::cli
