#include "resources/schedule/calendar_words.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace fairlead::resources {
namespace {

constexpr std::size_t kShortest = 3;

// The place of the name that `word` is, or begins with three letters or more.
std::optional<int> PlaceOf(absl::string_view word, const std::vector<std::string>& names) {
  if (word.size() < kShortest) return std::nullopt;
  const std::string lower = absl::AsciiStrToLower(word);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (absl::StartsWith(names[i], lower)) return static_cast<int>(i);
  }
  return std::nullopt;
}

}  // namespace

const std::vector<std::string>& WeekdayNames() {
  static const auto* const kNames = new std::vector<std::string>{
      "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
  return *kNames;
}

const std::vector<std::string>& MonthNames() {
  static const auto* const kNames = new std::vector<std::string>{
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  return *kNames;
}

std::optional<int> WeekdayOf(absl::string_view word) {
  if (const auto day = PlaceOf(word, WeekdayNames())) return day;
  return PlaceOf(absl::StripSuffix(absl::StripSuffix(word, "s"), "S"), WeekdayNames());
}

std::optional<int> MonthOf(absl::string_view word) {
  const std::optional<int> place = PlaceOf(word, MonthNames());
  if (!place.has_value()) return std::nullopt;
  return *place + 1;
}

}  // namespace fairlead::resources
