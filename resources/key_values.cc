#include "resources/key_values.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "resources/interpolation.h"

namespace fairlead::resources {
namespace {

bool IsQuote(char c) { return c == '"' || c == '\''; }

// What of a line counts; empty for a line to skip.
absl::string_view Meaning(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (line.empty() || line.front() == '#' || absl::StartsWith(line, "//")) return {};
  line = line.substr(0, line.find(" #"));
  absl::ConsumePrefix(&line, "-");
  return absl::StripAsciiWhitespace(line);
}

std::pair<std::string, std::string> SplitPair(absl::string_view line, std::size_t separator) {
  absl::string_view key = absl::StripAsciiWhitespace(line.substr(0, separator));
  absl::string_view value = absl::StripAsciiWhitespace(line.substr(separator + 1));
  if (!key.empty() && IsQuote(key.front()) && key.back() != key.front() && !value.empty() &&
      value.back() == key.front()) {
    key.remove_prefix(1);
    value.remove_suffix(1);
  }
  return {std::string(key), std::string(value)};
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseKeyValues(
    absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = Meaning(line);
    if (line.empty()) continue;
    if (IsPlaceholder(line)) {
      pairs.emplace_back(std::string(line), "");
      continue;
    }
    const std::size_t separator = line.find_first_of("=:");
    if (separator == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": no '=' or ':'"));
    }
    pairs.push_back(SplitPair(line, separator));
  }
  return pairs;
}

absl::StatusOr<std::string> ToEnvironmentFile(absl::string_view text) {
  ASSIGN_OR_RETURN(const auto pairs, ParseKeyValues(text), "environment");
  std::string file;
  for (const auto& [key, value] : pairs) absl::StrAppend(&file, key, "=", value, "\n");
  return file;
}

std::optional<std::size_t> FindLineWithoutSeparator(absl::string_view text) {
  std::size_t index = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = Meaning(line);
    if (!line.empty() && !IsPlaceholder(line) && !absl::StrContains(line, '=') &&
        !absl::StrContains(line, ':')) {
      return index;
    }
    ++index;
  }
  return std::nullopt;
}

}  // namespace fairlead::resources
