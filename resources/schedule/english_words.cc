#include "resources/schedule/english_words.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "resources/schedule/calendar_words.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

struct UnitWords {
  TimeUnit unit;
  absl::string_view name;
  absl::string_view short_name;
  absl::string_view adverb;
};

constexpr UnitWords kUnits[] = {
    {TimeUnit::kSecond, "second", "sec", ""},  {TimeUnit::kMinute, "minute", "min", "minutely"},
    {TimeUnit::kHour, "hour", "hr", "hourly"}, {TimeUnit::kDay, "day", "", "daily"},
    {TimeUnit::kWeek, "week", "wk", "weekly"}, {TimeUnit::kMonth, "month", "", "monthly"},
    {TimeUnit::kYear, "year", "yr", "yearly"},
};

struct NumberWord {
  absl::string_view word;
  int number;
};

constexpr NumberWord kCounts[] = {
    {"one", 1},     {"two", 2},      {"three", 3},   {"four", 4},    {"five", 5},
    {"six", 6},     {"ten", 10},     {"seven", 7},   {"eight", 8},   {"nine", 9},
    {"twelve", 12}, {"fifteen", 15}, {"twenty", 20}, {"thirty", 30},
};

constexpr NumberWord kOrdinals[] = {
    {"first", 1}, {"second", 2}, {"third", 3}, {"fourth", 4}, {"fifth", 5}, {"last", 0},
};

constexpr absl::string_view kGlue[] = {
    "every",    "each", "at",       "on",  "in", "between", "from",    "to",       "through",
    "until",    "and",  "only",     "the", "of", "run",     "weekday", "weekdays", "weekend",
    "weekends", "noon", "midnight", "am",  "pm", "other",   "date",
};

template <std::size_t size>
std::optional<int> FindNumber(const NumberWord (&words)[size], absl::string_view word) {
  for (const NumberWord& known : words) {
    if (known.word == word) return known.number;
  }
  return std::nullopt;
}

bool IsWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return !absl::ascii_isspace(byte) && c != ',' && c != ';';
}

// "a.m." is "am", and a full stop ends nothing.
std::string Plain(absl::string_view word) {
  std::string plain = absl::AsciiStrToLower(word);
  if (plain == "a.m." || plain == "a.m") return "am";
  if (plain == "p.m." || plain == "p.m") return "pm";
  while (absl::EndsWith(plain, ".")) plain.pop_back();
  return plain;
}

// A word with dashes is several: "mon-fri" is "mon to fri".
void AppendWords(absl::string_view text, std::size_t offset, std::vector<EnglishWord>* words) {
  while (true) {
    const std::size_t dash = std::min(text.find('-'), text.size());
    const std::string plain = Plain(text.substr(0, dash));
    if (!plain.empty()) words->push_back({plain, offset});
    if (dash == text.size()) return;
    words->push_back({"to", offset + dash});
    text.remove_prefix(dash + 1);
    offset += dash + 1;
  }
}

// Digits only, at most four.
std::optional<int> NumberOf(absl::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  int number = 0;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

}  // namespace

std::vector<EnglishWord> SplitEnglish(absl::string_view phrase) {
  std::vector<EnglishWord> words;
  std::size_t at = 0;
  while (at < phrase.size()) {
    std::size_t end = at;
    while (end < phrase.size() && IsWordByte(phrase[end])) ++end;
    if (end > at) AppendWords(phrase.substr(at, end - at), at, &words);
    at = end + 1;
  }
  return words;
}

std::optional<TimeUnit> UnitOf(absl::string_view word) {
  const absl::string_view singular = absl::StripSuffix(word, "s");
  for (const UnitWords& known : kUnits) {
    const bool is_short = !known.short_name.empty() && singular == known.short_name;
    if (singular == known.name || is_short) return known.unit;
  }
  return std::nullopt;
}

std::optional<TimeUnit> AdverbUnitOf(absl::string_view word) {
  for (const UnitWords& known : kUnits) {
    if (!known.adverb.empty() && word == known.adverb) return known.unit;
  }
  return std::nullopt;
}

absl::string_view NameOf(TimeUnit unit) {
  for (const UnitWords& known : kUnits) {
    if (known.unit == unit) return known.name;
  }
  return "";
}

std::optional<int> CountOf(absl::string_view word) {
  if (const std::optional<int> number = NumberOf(word)) return number;
  return FindNumber(kCounts, word);
}

std::optional<int> OrdinalOf(absl::string_view word) {
  for (const absl::string_view ending : {"st", "nd", "rd", "th"}) {
    if (!absl::EndsWith(word, ending)) continue;
    const std::optional<int> number = NumberOf(absl::StripSuffix(word, ending));
    if (number.has_value() && *number > 0) return number;
  }
  return FindNumber(kOrdinals, word);
}

bool IsHalf(absl::string_view word) { return word == "am" || word == "pm"; }

bool ApplyHalf(absl::string_view half, ClockTime* time) {
  if (time->hour < 1 || time->hour > 12) return false;
  time->hour = time->hour % 12 + (half == "pm" ? 12 : 0);
  return true;
}

ClockReading ReadClock(absl::string_view word, ClockTime* time) {
  *time = {};
  if (word == "midnight") return ClockReading::kTime;
  if (word == "noon" || word == "midday") {
    time->hour = 12;
    return ClockReading::kTime;
  }
  const std::size_t letters = std::min(word.find_first_not_of("0123456789:"), word.size());
  const std::string half = Plain(word.substr(letters));
  if (letters == 0 || (!half.empty() && !IsHalf(half))) return ClockReading::kNone;
  const std::vector<absl::string_view> parts = absl::StrSplit(word.substr(0, letters), ':');
  int* const places[] = {&time->hour, &time->minute, &time->second};
  if (parts.size() > 3) return ClockReading::kInvalid;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::optional<int> number = NumberOf(parts[i]);
    if (!number.has_value() || parts[i].size() > 2 || *number > (i == 0 ? 23 : 59)) {
      // A long number without anything is a count, such as 1000.
      return parts.size() == 1 && half.empty() ? ClockReading::kNone : ClockReading::kInvalid;
    }
    *places[i] = *number;
  }
  if (!half.empty()) return ApplyHalf(half, time) ? ClockReading::kTime : ClockReading::kInvalid;
  return parts.size() == 1 ? ClockReading::kBare : ClockReading::kOpen;
}

std::string SuggestEnglish(absl::string_view word) {
  std::vector<std::string> known(std::begin(kGlue), std::end(kGlue));
  for (const UnitWords& unit : kUnits) {
    known.emplace_back(unit.name);
    known.push_back(std::string(unit.name) + "s");
    if (!unit.adverb.empty()) known.emplace_back(unit.adverb);
  }
  for (const NumberWord& number : kCounts) known.emplace_back(number.word);
  for (const NumberWord& number : kOrdinals) known.emplace_back(number.word);
  known.insert(known.end(), WeekdayNames().begin(), WeekdayNames().end());
  known.insert(known.end(), MonthNames().begin(), MonthNames().end());
  const std::string nearest = NearestWord(word, known);
  // A known word at the wrong place is not misspelt.
  return nearest.empty() || nearest == word ? "" : absl::StrCat("did you mean \"", nearest, "\"?");
}

}  // namespace fairlead::resources
