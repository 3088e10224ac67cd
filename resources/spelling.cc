#include "resources/spelling.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace fairlead::resources {
namespace {

// Longer words are no misspelling of a key, and the comparison is quadratic.
constexpr std::size_t kLongestWord = 64;

std::string Folded(absl::string_view word) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(word), {{"-", "_"}});
}

}  // namespace

std::size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string NearestWord(absl::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongestWord) return "";
  const std::string folded = Folded(word);
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  const std::string* nearest = nullptr;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = EditDistance(folded, Folded(candidate));
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest == nullptr ? "" : *nearest;
}

std::string KnownMistake(absl::string_view word) {
  struct Mistake {
    absl::string_view word;
    absl::string_view hint;
  };
  static constexpr absl::string_view kComposeFile =
      "name the file in file_paths, or put its text into file_contents";
  static constexpr std::array<Mistake, 6> kMistakes = {{
      {"compose_file", kComposeFile},
      {"compose_file_path", kComposeFile},
      {"auto_deploy", "write deploy = true beside \"name\""},
      {"poll_interval", "a resource has no interval of its own; poll_for_updates turns polling on"},
      {"provision", "no kind of this name exists; nothing reads it"},
      {"server_template", "it left the format; servers are declared with [[server]]"},
  }};
  for (const Mistake& mistake : kMistakes) {
    if (mistake.word == word) return std::string(mistake.hint);
  }
  return "";
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = NearestWord(word, candidates);
  return nearest.empty() ? "" : absl::StrCat("did you mean \"", nearest, "\"?");
}

std::string DescribeUnknownKey(absl::string_view key, const std::vector<std::string>& known) {
  const std::string nearest = DidYouMean(key, known);
  return absl::StrCat(
      "unknown key \"", key, "\"; ",
      nearest.empty() ? absl::StrCat("known are ", absl::StrJoin(known, ", ")) : nearest);
}

std::string DescribeOptionsFileError(absl::string_view said,
                                     const std::vector<std::string>& known) {
  if (!absl::ConsumePrefix(&said, "INI was not able to parse ")) return std::string(said);
  if (absl::ConsumeSuffix(&said, ".++")) return absl::StrCat("unknown section [", said, "]");
  return DescribeUnknownKey(said, known);
}

}  // namespace fairlead::resources
