// Whatever a file holds, reading it ends, and what it says can be sent and printed.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

constexpr uint64_t kSeed = 7;
constexpr int kMutationsPerFile = 150;

std::vector<std::string> SeedTexts() {
  std::vector<std::string> texts;
  const std::filesystem::path manifests =
      std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "manifests";
  for (const char* folder : {"valid", "invalid"}) {
    for (const auto& entry : std::filesystem::directory_iterator(manifests / folder)) {
      if (entry.path().extension() != ".toml") continue;
      texts.push_back(base::ReadFile(entry.path().string()).value_or(""));
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // A few bytes of `text` replaced, removed, repeated or put in.
  std::string Mutate(std::string text) {
    for (std::size_t count = 1 + Below(4); count > 0 && !text.empty(); --count) {
      const std::size_t at = Below(text.size());
      switch (Below(4)) {
        case 0:
          text[at] = Special();
          break;
        case 1:
          text.erase(at, 1 + Below(8));
          break;
        case 2:
          text.insert(at, text.substr(Below(text.size()), Below(40)));
          break;
        default:
          text.insert(at, 1 + Below(3), Special());
          break;
      }
    }
    return text;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  char Special() {
    static constexpr absl::string_view kSpecial = "[]{}=\"'\\\n\r\t.,#-0a\xC3\xFF";
    return kSpecial[Below(kSpecial.size())];
  }
  std::mt19937_64 random_;
};

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
  for (const std::string& seed_text : SeedTexts()) {
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
