// Fixtures of testdata/manifests: what the reader says of each file. FAIRLEAD_REWRITE_GOLDEN=1
// writes the expected texts anew, for a person to read.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/problem_codes.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"
#include "resources/toml_writer.h"

namespace fairlead::resources {
namespace {

std::filesystem::path Folder(const std::string& name) {
  return std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "manifests" / name;
}

std::vector<std::filesystem::path> Fixtures(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(Folder(folder))) {
    if (entry.path().extension() == ".toml") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// A file "x.komodo.toml" is read in that dialect.
v1::Dialect DialectOf(const std::filesystem::path& path) {
  return absl::EndsWith(path.stem().string(), ".komodo") ? v1::DIALECT_KOMODO : v1::DIALECT_TOML;
}

std::vector<v1::Problem> AllProblems(const ParsedFile& file) {
  std::vector<v1::Problem> problems = file.problems;
  for (const Declaration& declaration : file.declarations) {
    problems.insert(problems.end(), declaration.problems.begin(), declaration.problems.end());
  }
  const auto key = [](const v1::Problem& problem) {
    return std::make_tuple(problem.line(), problem.column(), absl::string_view(problem.message()));
  };
  std::sort(problems.begin(), problems.end(),
            [&](const v1::Problem& a, const v1::Problem& b) { return key(a) < key(b); });
  return problems;
}

ParsedFile ReadFixture(const std::filesystem::path& path) {
  const auto content = base::ReadFile(path.string());
  EXPECT_TRUE(content.ok()) << content.status();
  return ReadToml(path.filename().string(), content.value_or(""), DialectOf(path));
}

std::string ProblemReport(const ParsedFile& file) {
  std::string out;
  for (const v1::Problem& problem : AllProblems(file)) {
    absl::StrAppend(&out, FormatProblem(problem));
  }
  for (const Declaration& declaration : file.declarations) {
    absl::StrAppend(&out, declaration.id.ToString(),
                    declaration.spec == nullptr ? ": spoilt\n" : ": read\n");
  }
  if (file.spoilt) absl::StrAppend(&out, "file: spoilt\n");
  if (file.foreign) absl::StrAppend(&out, "file: foreign\n");
  if (file.has_unknown_table) absl::StrAppend(&out, "file: has an unknown table\n");
  return out;
}

std::string ResourceReport(const ParsedFile& file, v1::Dialect dialect) {
  std::string out = ProblemReport(file);
  for (const Declaration& declaration : file.declarations) {
    if (declaration.spec != nullptr) {
      absl::StrAppend(&out, "\n", WriteToml(*declaration.spec, dialect));
    }
  }
  return out;
}

void CompareWithExpected(const std::filesystem::path& path, const std::string& actual) {
  std::filesystem::path expected_path = path;
  expected_path.replace_extension(".expected");
  if (std::getenv("FAIRLEAD_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(expected_path) << actual;
    return;
  }
  const auto expected = base::ReadFile(expected_path.string());
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(actual, *expected);
}

TEST(ManifestGoldenTest, InvalidFilesSayWhatIsWrong) {
  const auto fixtures = Fixtures("invalid");
  ASSERT_GE(fixtures.size(), 20u);
  for (const auto& path : fixtures) {
    SCOPED_TRACE(path.filename());
    const ParsedFile file = ReadFixture(path);
    EXPECT_FALSE(AllProblems(file).empty());
    CompareWithExpected(path, ProblemReport(file));
  }
}

TEST(ManifestGoldenTest, ThereIsAFixtureForEachErrorClass) {
  std::set<std::string> codes;
  for (const auto& path : Fixtures("invalid")) {
    for (const v1::Problem& problem : AllProblems(ReadFixture(path))) codes.insert(problem.code());
  }
  for (const std::string& code : codes) {
    EXPECT_LT(IndexOfProblemCode(code), ProblemCodes().size()) << code;
  }
  for (const char* code :
       {"unknown-key", "unknown-table", "wrong-type", "missing-name", "missing-field",
        "duplicate-field", "bad-value", "syntax", "conflict-marker", "not-utf8", "too-deep",
        "kind-not-acted-on", "foreign-file"}) {
    EXPECT_TRUE(codes.contains(code)) << code;
  }
}

TEST(ManifestGoldenTest, ValidFilesReadAsExpected) {
  const auto fixtures = Fixtures("valid");
  ASSERT_GE(fixtures.size(), 4u);
  for (const auto& path : fixtures) {
    SCOPED_TRACE(path.filename());
    const ParsedFile file = ReadFixture(path);
    for (const v1::Problem& problem : AllProblems(file)) {
      EXPECT_NE(problem.severity(), v1::SEVERITY_ERROR) << FormatProblem(problem);
    }
    CompareWithExpected(path, ResourceReport(file, DialectOf(path)));
  }
}

}  // namespace
}  // namespace fairlead::resources
