// Files made to hurt: reading them ends soon, within bounded memory, and says what is wrong.
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kStack[] = "[[stack]]\nname = \"web\"\n";

ParsedFile Read(const std::string& text) { return ReadToml("a.toml", text, v1::DIALECT_TOML); }

std::string Repeated(std::size_t count, const std::function<std::string(std::size_t)>& part) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += part(i);
  return text;
}

std::string Repeated(std::size_t count, absl::string_view part) {
  return Repeated(count, [&](std::size_t) { return std::string(part); });
}

// "code: message" of the only problem of a file that cannot be read.
std::string Refusal(const std::string& text) {
  const ParsedFile file = Read(text);
  EXPECT_TRUE(file.spoilt);
  EXPECT_TRUE(file.declarations.empty());
  if (file.problems.size() != 1) return absl::StrCat(file.problems.size(), " problems");
  return absl::StrCat(file.problems[0].code(), ": ", file.problems[0].message());
}

TEST(HostileInputTest, DeepNestingIsRefused) {
  constexpr char kDeep[] = "too-deep: tables and arrays within each other are more than 128 deep";
  EXPECT_EQ(Refusal(absl::StrCat("x = ", std::string(10000, '['))), kDeep);
  EXPECT_EQ(Refusal(absl::StrCat("x = ", Repeated(10000, "{ a = "))), kDeep);
  EXPECT_EQ(Refusal(absl::StrCat("x = ", std::string(200, '['), std::string(200, ']'))), kDeep);
  // Deep by the product of both, which is what the stack sees.
  const std::string key = absl::StrCat("k", Repeated(60, ".k"), " = ");
  EXPECT_EQ(Refusal(absl::StrCat(kStack, Repeated(100, absl::StrCat(key, "{")))), kDeep);
}

TEST(HostileInputTest, KeysOfManyPartsAreRefused) {
  constexpr char kLong[] = "too-deep: key has more than 64 parts";
  EXPECT_EQ(Refusal(absl::StrCat("a", Repeated(200000, ".a"), " = 1")), kLong);
  EXPECT_EQ(Refusal(absl::StrCat("[a", Repeated(200000, ".a"), "]")), kLong);
  EXPECT_EQ(Refusal(absl::StrCat("a", Repeated(200000, " . \"b\""), " = 1")), kLong);
  // Behind a string that ends in more than three quotes.
  EXPECT_EQ(Refusal(absl::StrCat("x = { s = \"\"\"a\"\"\"\"\", a", Repeated(2000, ".a"), " = 1 }")),
            kLong);
}

TEST(HostileInputTest, ManyDottedKeysAreRefused) {
  EXPECT_EQ(
      Refusal(Repeated(100001, [](std::size_t i) { return absl::StrCat("a", i, ".b = 1\n"); })),
      "too-large: file has more than 100000 dotted keys");
}

TEST(HostileInputTest, LargeFilesAreRefused) {
  EXPECT_EQ(Refusal(std::string(kLargestFile + 1, '\n')), "too-large: file is larger than 10 MiB");
  // The largest one goes on to the parser, which stops at its first line.
  EXPECT_THAT(Refusal(absl::StrCat("=", std::string(kLargestFile - 1, '\n'))),
              StartsWith("syntax: "));
}

TEST(HostileInputTest, ManyResourcesAreRefused) {
  EXPECT_EQ(Refusal(Repeated(50001, "[[stack]]\n")),
            "too-large: file declares more than 50000 resources");
}

TEST(HostileInputTest, LongTextsAreReadAndNotRepeated) {
  const std::string megabyte(1u << 20, 'x');
  const ParsedFile value =
      Read(absl::StrCat(kStack, "[stack.config]\nenvironment = \"A=", megabyte, "\"\n"));
  ASSERT_THAT(value.declarations, SizeIs(1));
  EXPECT_NE(value.declarations[0].spec, nullptr);
  const ParsedFile key = Read(absl::StrCat(kStack, megabyte, " = 1\n"));
  ASSERT_THAT(key.declarations, SizeIs(1));
  ASSERT_THAT(key.declarations[0].problems, SizeIs(1));
  EXPECT_LT(key.declarations[0].problems[0].ByteSizeLong(), 2000u);
  const ParsedFile name = Read(absl::StrCat("[[stack]]\nname = \"", megabyte, "\"\nx = 1\n"));
  ASSERT_THAT(name.problems, SizeIs(2));
  EXPECT_EQ(name.problems[0].message(), "name of this [[stack]] is longer than 255 bytes");
}

TEST(HostileInputTest, OfManyProblemsTheFirstAreDescribed) {
  const ParsedFile one = Read(absl::StrCat(
      kStack, Repeated(20000, [](std::size_t i) { return absl::StrCat("envirment", i, "=1\n"); })));
  ASSERT_THAT(one.declarations, SizeIs(1));
  EXPECT_EQ(one.declarations[0].spec, nullptr);
  EXPECT_THAT(one.declarations[0].problems, SizeIs(1000));
  EXPECT_EQ(one.hidden_problems, 19000u);
}

TEST(HostileInputTest, EachOfManySpoiltResourcesSaysWhy) {
  const ParsedFile file = Read(Repeated(10000, [](std::size_t i) {
    return absl::StrCat("[[stack]]\nname = \"s", i, "\"\nx = 1\ny = 2\n");
  }));
  ASSERT_THAT(file.declarations, SizeIs(10000));
  EXPECT_THAT(file.declarations.front().problems, SizeIs(2));
  EXPECT_THAT(file.declarations.back().problems, SizeIs(1));
  EXPECT_EQ(file.declarations.back().spec, nullptr);
}

TEST(HostileInputTest, ManyProblemsOfOneLongLineAreFoundInTime) {
  const ParsedFile file = Read(absl::StrCat(kStack, "config = { config_files = [",
                                            Repeated(20000, "{x = 1, path = 2}, "), "] }\n"));
  ASSERT_THAT(file.declarations, SizeIs(1));
  EXPECT_EQ(file.declarations[0].spec, nullptr);
}

TEST(HostileInputTest, ManyTopLevelKeysAreCounted) {
  const ParsedFile file = Read(absl::StrCat(
      Repeated(10000, [](std::size_t i) { return absl::StrCat("k", i, "=1\n"); }), kStack));
  EXPECT_THAT(file.problems, SizeIs(1000));
  EXPECT_EQ(file.hidden_problems, 9000u);
  EXPECT_THAT(file.declarations, SizeIs(1));
}

}  // namespace
}  // namespace fairlead::resources
