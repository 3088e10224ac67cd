#include "resources/name_pattern.h"

#include <cstddef>
#include <optional>
#include <regex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

constexpr std::size_t kLongestRegex = 500;

bool MatchesWildcard(absl::string_view pattern, absl::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  // Where the last star stands, and the name's character that follows what it has taken.
  std::size_t star = absl::string_view::npos;
  std::size_t taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Up to the next separator; one between two backslashes belongs to the regex.
absl::string_view TakePart(absl::string_view& rest) {
  rest = absl::StripLeadingAsciiWhitespace(rest);
  std::size_t end = rest.find_first_of("\n,");
  if (!rest.empty() && rest.front() == '\\') {
    std::size_t close = end;
    while (
        close != absl::string_view::npos &&
        (close < 2 || absl::StripTrailingAsciiWhitespace(rest.substr(0, close)).back() != '\\')) {
      close = rest.find_first_of("\n,", close + 1);
    }
    end = close;
  }
  const absl::string_view part = absl::StripTrailingAsciiWhitespace(rest.substr(0, end));
  rest.remove_prefix(end == absl::string_view::npos ? rest.size() : end + 1);
  return part;
}

// In time that grows with the name only: a pattern must not be able to halt the controller.
absl::StatusOr<std::regex> CompileRegex(absl::string_view text) {
  if (text.size() > kLongestRegex) {
    return absl::InvalidArgumentError(
        absl::StrCat("a regex of more than ", kLongestRegex, " characters"));
  }
  try {
    return std::regex(std::string(text),
                      std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("regex \"", text, "\" cannot be read: ", error.what()));
  }
}

}  // namespace

struct NamePattern::Part {
  std::string wildcard;
  std::optional<std::regex> regex;
};

absl::StatusOr<NamePattern> NamePattern::Parse(absl::string_view text) {
  NamePattern pattern;
  while (!text.empty()) {
    const absl::string_view part = TakePart(text);
    if (part.empty()) continue;
    auto parsed = std::make_shared<Part>();
    if (part.size() > 1 && part.front() == '\\' && part.back() == '\\') {
      absl::StatusOr<std::regex> regex = CompileRegex(part.substr(1, part.size() - 2));
      if (!regex.ok()) return regex.status();
      parsed->regex = *std::move(regex);
    } else {
      parsed->wildcard = std::string(part);
    }
    pattern.parts_.push_back(std::move(parsed));
  }
  return pattern;
}

bool NamePattern::Matches(const std::string& name) const {
  for (const auto& part : parts_) {
    if (part->regex.has_value() ? std::regex_search(name, *part->regex)
                                : MatchesWildcard(part->wildcard, name)) {
      return true;
    }
  }
  return false;
}

}  // namespace fairlead::resources
