// Whatever a file holds, reading it ends, and what it says can be sent and printed.
#include <algorithm>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "resources/problem_text.h"
#include "resources/testing/toml_mutation.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

constexpr uint64_t kSeed = 7;
constexpr int kMutationsPerFile = 150;

void CheckProblem(const v1::Problem& problem, const std::string& text) {
  const auto lines = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  EXPECT_LE(problem.line(), lines);
  EXPECT_FALSE(problem.code().empty());
  EXPECT_FALSE(problem.message().empty());
  // Texts of messages must be UTF-8 to be read back.
  v1::Problem again;
  EXPECT_TRUE(again.ParseFromString(problem.SerializeAsString()));
  EXPECT_FALSE(FormatProblem(problem).empty());
}

void CheckFile(const ParsedFile& file, const std::string& text) {
  for (const v1::Problem& problem : file.problems) CheckProblem(problem, text);
  for (const Declaration& declaration : file.declarations) {
    bool error = false;
    for (const v1::Problem& problem : declaration.problems) {
      CheckProblem(problem, text);
      error = error || problem.severity() == v1::SEVERITY_ERROR;
    }
    EXPECT_EQ(declaration.spec == nullptr, error);
    EXPECT_FALSE(declaration.id.name.empty());
  }
  EXPECT_TRUE(!file.spoilt || file.declarations.empty());
  EXPECT_TRUE(!file.foreign || file.declarations.empty());
}

TEST(TomlReaderPropertyTest, AnyTextIsRead) {
  Mutator mutator(kSeed);
  for (const std::string& seed_text : ManifestTexts({"valid", "invalid"})) {
    for (int i = 0; i < kMutationsPerFile; ++i) {
      const std::string text = mutator.Mutate(seed_text);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, "\n", text));
      for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
        CheckFile(ReadToml("a.toml", text, dialect), text);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace fairlead::resources
