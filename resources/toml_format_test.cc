// Fixtures of testdata/manifests/fmt: each file and its canonical text. FAIRLEAD_REWRITE_GOLDEN=1
// writes the expected texts anew, for a person to read.
#include "resources/toml_format.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/problem_text.h"

namespace fairlead::resources {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Format(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const FormattedToml result = FormatToml("a.toml", text, dialect);
  for (const v1::Problem& problem : result.problems) ADD_FAILURE() << FormatProblem(problem);
  return result.text;
}

// The problem for which the text is left as it is.
std::string Refusal(const std::string& text) {
  const FormattedToml result = FormatToml("a.toml", text, v1::DIALECT_TOML);
  EXPECT_EQ(result.text, text);
  EXPECT_EQ(result.problems.size(), 1u);
  return result.problems.empty() ? "" : FormatProblem(result.problems.front());
}

TEST(TomlFormatTest, FixturesComeOutAsExpected) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "manifests" / "fmt")) {
    if (entry.path().extension() == ".toml") paths.push_back(entry.path());
  }
  ASSERT_GE(paths.size(), 8u);
  for (std::filesystem::path path : paths) {
    SCOPED_TRACE(path.filename());
    const bool komodo = absl::EndsWith(path.stem().string(), ".komodo");
    const v1::Dialect dialect = komodo ? v1::DIALECT_KOMODO : v1::DIALECT_TOML;
    const std::string actual = Format(base::ReadFile(path.string()).value_or(""), dialect);
    EXPECT_EQ(Format(actual, dialect), actual);
    path.replace_extension(".expected");
    if (std::getenv("FAIRLEAD_REWRITE_GOLDEN") != nullptr) {
      std::ofstream(path) << actual;
      continue;
    }
    EXPECT_EQ(actual, base::ReadFile(path.string()).value_or("not there"));
  }
}

TEST(TomlFormatTest, BlankLineStaysWhereItsNeighboursStay) {
  EXPECT_EQ(Format("[[server]]\n\nname = \"a\"\n\n\ntags = []\n\n[server.config]\n"),
            "[[server]]\nname = \"a\"\n\ntags = []\n\n[server.config]\n");
  EXPECT_EQ(Format("[[server]]\ntags = []\n\nname = \"a\"\n"),
            "[[server]]\nname = \"a\"\ntags = []\n");
}

TEST(TomlFormatTest, EntriesAreOneBlankLineApart) {
  EXPECT_EQ(Format("\n\n[[server]]\nname = \"b\"\n[[server]]\nname = \"a\"\n\n\n\n[[stack]]\n"
                   "name = \"c\""),
            "[[server]]\nname = \"b\"\n\n[[server]]\nname = \"a\"\n\n[[stack]]\nname = \"c\"\n");
}

TEST(TomlFormatTest, SyntaxErrorLeavesTheFileAndNamesThePlace) {
  EXPECT_THAT(Refusal("[[server]]\nname = \n"), HasSubstr("a.toml:2:8: error: "));
}

TEST(TomlFormatTest, ForeignFileIsLeftWithANotice) {
  EXPECT_THAT(Refusal("b=1\n\n\n\na =2"), HasSubstr("a.toml: notice: "));
  EXPECT_THAT(Refusal(""), HasSubstr("notice: "));
}

TEST(TomlFormatTest, FilesWithProblemsOfMeaningAreFormattedAllTheSame) {
  EXPECT_EQ(Format("[[server]]\nnobody_knows=1\nname=2"),
            "[[server]]\nname = 2\nnobody_knows = 1\n");
}

TEST(TomlFormatTest, OrderThatAValueHangsOnIsLeftAlone) {
  // The komodo dialect takes the quotes in the comment for the beginning of a block, and so the
  // backslashes behind it for literal ones.
  const std::string text = R"([[server]]
name = "a"
tags = [] # """
description = "c\\d"
)";
  const FormattedToml result = FormatToml("a.toml", text, v1::DIALECT_KOMODO);
  EXPECT_EQ(result.text, text);
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_THAT(FormatProblem(result.problems[0]),
              AllOf(HasSubstr("a.toml: error: cannot be formatted: its values would change"),
                    HasSubstr("three quotes in a comment")));
}

}  // namespace
}  // namespace fairlead::resources
