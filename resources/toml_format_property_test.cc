// Laws of formatting: the values stay, the comments stay, and twice is as good as once.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "base/testing/text_mutator.h"
#include "resources/problem_text.h"
#include "resources/testing/manifest_texts.h"
#include "resources/toml_document.h"
#include "resources/toml_format.h"
#include "resources/toml_layout.h"
#include "resources/toml_source.h"

namespace fairlead::resources {
namespace {

constexpr uint64_t kSeed = 11;
constexpr int kMutationsPerFile = 100;

// The value as text, tables in order of key.
std::string Canonical(const TomlValue& value) {
  std::vector<std::string> parts;
  for (const TomlEntry& entry : value.entries) {
    parts.push_back(absl::StrCat(entry.key, "=", Canonical(entry.value)));
  }
  std::sort(parts.begin(), parts.end());
  for (const TomlValue& item : value.items) parts.push_back(Canonical(item));
  return absl::StrCat("<", NameOf(value.type), value.text, "|", value.integer, "|", value.number,
                      "|", value.boolean, absl::StrJoin(parts, ","), ">");
}

std::string ValuesOf(const std::string& text, v1::Dialect dialect) {
  const auto parsed = ParseToml(TomlSource("a.toml", text, dialect).text());
  const auto* root = std::get_if<TomlValue>(&parsed);
  return root == nullptr ? "cannot be read" : Canonical(*root);
}

// All that stands behind a '#' outside of strings, found without the layout.
std::multiset<std::string> CommentsOf(absl::string_view text, bool literal_blocks) {
  std::multiset<std::string> comments;
  std::size_t at = 0;
  std::string open;
  while (at < text.size()) {
    const char c = text[at];
    if (!open.empty()) {
      const bool literal = open[0] == '\'' || (open.size() == 3 && literal_blocks);
      if (c == '\\' && !literal) {
        at += 2;
      } else if (absl::StartsWith(text.substr(at), open)) {
        at += open.size();
        while (open.size() == 3 && at < text.size() && text[at] == open[0]) ++at;
        open.clear();
      } else {
        ++at;
      }
    } else if (c == '"' || c == '\'') {
      const std::string triple(3, c);
      open = absl::StartsWith(text.substr(at), triple) ? triple : std::string(1, c);
      at += open.size();
    } else if (c == '#') {
      const absl::string_view line = text.substr(at, text.find('\n', at) - at);
      comments.emplace(absl::StripTrailingAsciiWhitespace(line));
      at += line.size();
    } else {
      ++at;
    }
  }
  return comments;
}

// False when the file is left as it is.
bool CheckLaws(const std::string& text, v1::Dialect dialect) {
  const FormattedToml once = FormatToml("a.toml", text, dialect);
  for (const v1::Problem& problem : once.problems) {
    EXPECT_NE(problem.code(), "internal") << FormatProblem(problem);
  }
  if (!once.problems.empty()) {
    EXPECT_EQ(once.text, text);
    return false;
  }
  EXPECT_EQ(FormatToml("a.toml", once.text, dialect).text, once.text);
  EXPECT_EQ(ValuesOf(once.text, dialect), ValuesOf(text, dialect));
  const bool komodo = dialect == v1::DIALECT_KOMODO;
  EXPECT_EQ(CommentsOf(once.text, komodo), CommentsOf(text, komodo));
  EXPECT_FALSE(absl::StrContains(once.text, '\r'));
  EXPECT_TRUE(absl::EndsWith(once.text, "\n") && !absl::EndsWith(once.text, "\n\n"));
  return true;
}

TEST(TomlFormatPropertyTest, FixturesObeyTheLaws) {
  int formatted = 0;
  for (const std::string& text : ManifestTexts({"valid", "invalid", "fmt"})) {
    SCOPED_TRACE(text);
    for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
      formatted += CheckLaws(text, dialect) ? 1 : 0;
    }
  }
  EXPECT_GT(formatted, 40);
}

TEST(TomlFormatPropertyTest, AnyTextObeysTheLaws) {
  base::TextMutator mutator(kSeed);
  int formatted = 0;
  for (const std::string& seed_text : ManifestTexts({"valid", "fmt"})) {
    for (int i = 0; i < kMutationsPerFile; ++i) {
      const std::string text = mutator.Mutate(seed_text, seed_text);
      SCOPED_TRACE(absl::StrCat("seed ", kSeed, "\n", text));
      for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
        formatted += CheckLaws(text, dialect) ? 1 : 0;
        // Not guarded by the parser there.
        ScanLayout(text, dialect).IgnoreError();
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
  EXPECT_GT(formatted, 100);
}

TEST(TomlFormatPropertyTest, RealFilesObeyTheLaws) {
  const std::filesystem::path folder =
      std::filesystem::path(FAIRLEAD_SOURCE_DIR) / ".." / "shared" / "corpus" / "files";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no corpus at " << folder;
  int files = 0;
  int formatted = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path());
    ++files;
    const std::string text = base::ReadFile(entry.path().string()).value_or("");
    formatted += CheckLaws(text, v1::DIALECT_KOMODO) ? 1 : 0;
  }
  std::cout << formatted << " of " << files << " files formatted\n";
  EXPECT_GT(formatted, 0);
}

}  // namespace
}  // namespace fairlead::resources
