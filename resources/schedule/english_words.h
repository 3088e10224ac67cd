// The words of a schedule phrase and what they mean.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// One word in lower case and where it begins in the phrase. "-" between names is the word "to";
// commas and full stops are not words. A digit and the letters after it are one word.
struct EnglishWord {
  std::string text;
  std::size_t offset = 0;
};
std::vector<EnglishWord> SplitEnglish(absl::string_view phrase);

enum class TimeUnit { kSecond, kMinute, kHour, kDay, kWeek, kMonth, kYear };

// Of "minute", "minutes", "min".
std::optional<TimeUnit> UnitOf(absl::string_view word);
// Of "minutely", "hourly", "daily" and so on.
std::optional<TimeUnit> AdverbUnitOf(absl::string_view word);
// "minute", "hour" and so on.
absl::string_view NameOf(TimeUnit unit);

// Of digits, or "two" and so on; at most 9999.
std::optional<int> CountOf(absl::string_view word);

// Of "1st", "first", "22nd", which gives 22; 0 stands for "last".
std::optional<int> OrdinalOf(absl::string_view word);

// A time of the day, in whole seconds.
struct ClockTime {
  int hour = 0;
  int minute = 0;
  int second = 0;
};
// What a word may be of a time of day.
enum class ClockReading {
  // Something else.
  kNone,
  // A time, complete: "9am", "17:30", "noon".
  kTime,
  // Lacks "am" or "pm", which may be the next word: "9". Without it is no time.
  kBare,
  // A time already, to which "am" or "pm" may belong as the next word: "9:30".
  kOpen,
  // Looks like a time and is none: "25:00", "13pm".
  kInvalid,
};
ClockReading ReadClock(absl::string_view word, ClockTime* time);
// Makes 12-hour time of it; false when the hour is not 1 to 12.
bool ApplyHalf(absl::string_view half, ClockTime* time);
// "am" or "pm".
bool IsHalf(absl::string_view word);

// `did you mean "monday"?` over all known words, or empty.
std::string SuggestEnglish(absl::string_view word);

}  // namespace fairlead::resources
