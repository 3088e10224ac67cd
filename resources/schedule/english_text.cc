#include "resources/schedule/english_text.h"

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "resources/schedule/calendar_words.h"
#include "resources/schedule/english_draft.h"
#include "resources/schedule/english_words.h"

namespace fairlead::resources {
namespace {

constexpr absl::string_view kTimeZoneHint = "put the time zone into schedule_timezone";

bool IsOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  for (const absl::string_view known : words) {
    if (word == known) return true;
  }
  return false;
}

bool IsEvery(absl::string_view word) { return word == "every" || word == "each"; }
bool IsTo(absl::string_view word) {
  return IsOneOf(word, {"to", "through", "thru", "until", "till"});
}
bool IsWeekdays(absl::string_view word) { return word == "weekday" || word == "weekdays"; }
bool IsWeekend(absl::string_view word) { return word == "weekend" || word == "weekends"; }
bool IsDayWord(absl::string_view word) { return UnitOf(word) == TimeUnit::kDay; }
bool IsDayName(absl::string_view word) {
  return WeekdayOf(word).has_value() || IsWeekdays(word) || IsWeekend(word);
}

std::optional<int> DayNumberOf(absl::string_view word) {
  const std::optional<int> day = CountOf(word);
  return day.has_value() && *day >= 1 && *day <= 31 ? day : std::nullopt;
}

// Reads a phrase clause by clause, in any order. The first error ends it; the functions return
// false after one.
class EnglishReader {
 public:
  explicit EnglishReader(absl::string_view phrase)
      : words_(SplitEnglish(phrase)), end_(phrase.size()) {}

  std::variant<CalendarFields, ScheduleError> Read() {
    if (Word() == "run" || Word() == "runs") ++at_;
    if (AtEnd()) {
      return ScheduleError{0, "the phrase does not say when",
                           "write such as \"Every day at 03:00\""};
    }
    while (!AtEnd()) {
      if (!ReadClause()) return error_;
    }
    return draft_.Combine();
  }

 private:
  bool AtEnd() const { return at_ >= words_.size(); }
  // The word that is `ahead` of the next; empty at the end.
  absl::string_view Word(std::size_t ahead = 0) const {
    return at_ + ahead < words_.size() ? absl::string_view(words_[at_ + ahead].text) : "";
  }
  std::size_t Offset() const { return AtEnd() ? end_ : words_[at_].offset; }

  bool ReadClause();
  bool ReadItem();
  bool ReadEvery();
  bool ReadFrequency();
  bool ReadAt();
  bool ReadOn();
  bool ReadIn();
  bool ReadSpan(bool between);
  bool ReadDayNames(bool between);
  bool ReadMonths(bool between);
  bool ReadOrdinals(bool every);
  bool ReadOfMonth(bool* read);
  bool ReadDayNumbers();
  bool ReadTimes();
  bool ReadTime(ClockTime* time);
  // A number alone is one where only a time can follow.
  bool IsTime(bool expected) const;
  bool SkipTo(bool between);

  bool Fail(std::string message, std::string suggestion = "") {
    error_ = {Offset(), std::move(message), std::move(suggestion)};
    return false;
  }
  bool FailExpected(absl::string_view what, absl::string_view after, std::string suggestion = "") {
    const std::string found = AtEnd() ? "the end" : absl::StrCat("\"", Word(), "\"");
    if (!AtEnd() && suggestion.empty()) suggestion = SuggestEnglish(Word());
    return Fail(absl::StrCat("expected ", what, " after \"", after, "\", found ", found),
                std::move(suggestion));
  }
  bool FailUnknown();

  const std::vector<EnglishWord> words_;
  const std::size_t end_;
  std::size_t at_ = 0;
  EnglishDraft draft_;
  ScheduleError error_;
};

bool EnglishReader::ReadClause() {
  const absl::string_view word = Word();
  if (IsEvery(word)) return ReadEvery();
  if (word == "at") return ReadAt();
  if (word == "on" || word == "only") return ReadOn();
  if (word == "in" || word == "during") return ReadIn();
  if (word == "between" || word == "from") {
    ++at_;
    return ReadSpan(word == "between");
  }
  if (word == "and" && at_ > 0) {
    ++at_;
    return AtEnd() ? FailExpected("more", "and") : true;
  }
  if (const std::optional<TimeUnit> unit = AdverbUnitOf(word)) {
    if (!draft_.AddFrequency({*unit, 1, Offset()})) {
      return Fail("the phrase says twice how often", "keep one of them");
    }
    ++at_;
    return true;
  }
  return ReadItem();
}

// What may stand without a preposition.
bool EnglishReader::ReadItem() {
  if (Word() == "the") ++at_;
  if (IsDayName(Word())) return ReadDayNames(false);
  if (MonthOf(Word()).has_value()) return ReadMonths(false);
  if (OrdinalOf(Word()).has_value()) return ReadOrdinals(false);
  if (DayNumberOf(Word()).has_value() && MonthOf(Word(1)).has_value()) return ReadDayNumbers();
  if (IsTime(false)) return ReadTimes();
  return FailUnknown();
}

bool EnglishReader::FailUnknown() {
  const absl::string_view word = Word();
  if (AtEnd()) return Fail("the phrase ends too soon");
  if (IsOneOf(word, {"utc", "gmt", "cet", "cest", "est", "edt", "pst", "pdt"}) ||
      absl::StrContains(word, '/')) {
    return Fail(absl::StrCat("a phrase cannot hold the time zone \"", word, "\""),
                std::string(kTimeZoneHint));
  }
  if (absl::StartsWith(word, "start")) {
    return Fail("a phrase cannot say when the counting starts",
                "write cron: \"0 0 1-23/6 * * *\" is every 6 hours from 01:00");
  }
  if (word.size() == 4 && CountOf(word).has_value()) {
    return Fail(absl::StrCat("a phrase cannot hold the year ", word), "leave it out");
  }
  if (CountOf(word).has_value()) {
    return Fail(absl::StrCat("it is not clear what ", word, " counts"),
                absl::StrCat("a time is such as 9am or 17:30; a day is such as 15th"));
  }
  if (UnitOf(word).has_value()) {
    return Fail(absl::StrCat("\"", word, "\" does not fit here"),
                absl::StrCat("write how often as in \"every 2 ", NameOf(*UnitOf(word)), "s\""));
  }
  return Fail(absl::StrCat("unknown word \"", word, "\""), SuggestEnglish(word));
}

bool EnglishReader::ReadEvery() {
  ++at_;
  const bool unit = UnitOf(Word()).has_value();
  // "every second" is a unit, "every second Monday" is not.
  const bool ordinal =
      OrdinalOf(Word()).has_value() && (!unit || IsDayName(Word(1)) || UnitOf(Word(1)).has_value());
  if (ordinal) return ReadOrdinals(true);
  if (unit || Word() == "other" || CountOf(Word()).has_value()) return ReadFrequency();
  if (IsDayName(Word())) return ReadDayNames(false);
  if (MonthOf(Word()).has_value()) return ReadMonths(false);
  return FailExpected("a unit such as \"day\" or the name of a day", "every");
}

bool EnglishReader::ReadFrequency() {
  EnglishDraft::Frequency frequency{TimeUnit::kDay, 1, Offset()};
  std::string before = "every";
  if (Word() == "other") {
    frequency.count = 2;
    before = "other";
    ++at_;
  } else if (const std::optional<int> count = CountOf(Word())) {
    frequency.count = *count;
    before = std::string(Word());
    ++at_;
  }
  const std::optional<TimeUnit> unit = UnitOf(Word());
  if (!unit.has_value() && before == "other" && WeekdayOf(Word()).has_value()) {
    return Fail("a schedule does not count weeks",
                absl::StrCat("write \"on the first and third ", Word(), " of the month\""));
  }
  if (!unit.has_value()) return FailExpected("a unit such as \"minutes\"", before);
  frequency.unit = *unit;
  if (!draft_.AddFrequency(frequency)) {
    return Fail("the phrase says twice how often", "keep one of them");
  }
  ++at_;
  return true;
}

bool EnglishReader::ReadAt() {
  ++at_;
  if (Word() == "minute") {
    ++at_;
    const std::optional<int> number = CountOf(Word());
    if (!number.has_value() || *number > 59) return FailExpected("0 to 59", "minute");
    draft_.minute = {*number, Offset()};
    ++at_;
    return true;
  }
  if (!IsTime(true)) return FailExpected("a time such as 9am or 17:30", "at");
  return ReadTimes();
}

bool EnglishReader::ReadOn() {
  const std::string before(Word());
  ++at_;
  if (before == "only" && IsOneOf(Word(), {"on", "in", "at", "between", "from"})) return true;
  if (Word() == "the") ++at_;
  if (IsEvery(Word())) return true;
  if (IsDayWord(Word())) {
    ++at_;
    if (DayNumberOf(Word()).has_value()) return ReadDayNumbers();
  }
  if (IsDayName(Word())) return ReadDayNames(false);
  if (MonthOf(Word()).has_value()) return ReadMonths(false);
  if (OrdinalOf(Word()).has_value()) return ReadOrdinals(false);
  if (DayNumberOf(Word()).has_value() && MonthOf(Word(1)).has_value()) return ReadDayNumbers();
  return FailExpected("a day such as Monday or 1st", before);
}

bool EnglishReader::ReadIn() {
  const std::string before(Word());
  ++at_;
  if (!MonthOf(Word()).has_value()) {
    if (Word().size() == 4 && CountOf(Word()).has_value()) return FailUnknown();
    return FailExpected("a month", before);
  }
  return ReadMonths(false);
}

// After "between" or "from": hours, days or months.
bool EnglishReader::ReadSpan(bool between) {
  if (WeekdayOf(Word()).has_value()) return ReadDayNames(between);
  if (MonthOf(Word()).has_value()) return ReadMonths(between);
  if (draft_.window.has_value()) return Fail("the phrase has two spans of hours", "keep one");
  EnglishDraft::Window window;
  window.offset = Offset();
  if (!IsTime(true)) return FailExpected("a time such as 9am", between ? "between" : "from");
  if (!ReadTime(&window.from)) return false;
  const std::string from(words_[at_ - 1].text);
  if (!SkipTo(between)) return FailExpected(between ? "\"and\"" : "\"to\"", from);
  if (!IsTime(true)) return FailExpected("a time such as 5pm", words_[at_ - 1].text);
  if (!ReadTime(&window.to)) return false;
  draft_.window = window;
  return true;
}

bool EnglishReader::SkipTo(bool between) {
  const bool found = IsTo(Word()) || (between && Word() == "and");
  if (found) ++at_;
  return found;
}

// A name, or a range of two.
bool EnglishReader::ReadDayNames(bool between) {
  NumberSet& set = draft_.weekdays[CalendarFields::kAnyWeek];
  if (IsWeekdays(Word()) || IsWeekend(Word())) {
    set |= IsWeekdays(Word()) ? NumbersFrom(1, 5) : NumbersFrom(6, 6) | NumbersFrom(0, 0);
    ++at_;
    return true;
  }
  const int first = WeekdayOf(Word()).value_or(0);
  int last = first;
  ++at_;
  if (SkipTo(between)) {
    const std::optional<int> end = WeekdayOf(Word());
    if (!end.has_value()) return FailExpected("the name of a day", words_[at_ - 1].text);
    last = *end < first ? *end + 7 : *end;
    ++at_;
  }
  for (int day = first; day <= last; ++day) set |= NumbersFrom(day % 7, day % 7);
  return true;
}

bool EnglishReader::ReadMonths(bool between) {
  const int first = MonthOf(Word()).value_or(1);
  int last = first;
  ++at_;
  if (SkipTo(between)) {
    const std::optional<int> end = MonthOf(Word());
    if (!end.has_value()) return FailExpected("a month", words_[at_ - 1].text);
    last = *end < first ? *end + 12 : *end;
    ++at_;
  } else if (!ReadDayNumbers()) {
    return false;
  }
  for (int month = first; month <= last; ++month) {
    const int number = (month - 1) % 12 + 1;
    draft_.months |= NumbersFrom(number, number);
  }
  return true;
}

// "15", "1 and 15", or nothing.
bool EnglishReader::ReadDayNumbers() {
  std::size_t skip = 0;
  while (DayNumberOf(Word(skip)).has_value() && !IsHalf(Word(skip + 1)) &&
         !UnitOf(Word(skip + 1)).has_value()) {
    at_ += skip;
    const int day = DayNumberOf(Word()).value_or(1);
    draft_.days |= NumbersFrom(day, day);
    ++at_;
    skip = Word() == "and" ? 1 : 0;
  }
  bool of_month = false;
  return ReadOfMonth(&of_month);
}

// "1st and 15th [day] [of the month]", "last Friday of the month".
bool EnglishReader::ReadOrdinals(bool every) {
  const std::size_t begin = at_;
  NumberSet ordinals = 0;
  while (true) {
    const int first = OrdinalOf(Word()).value_or(0);
    if (first > 31) return Fail(absl::StrCat("a month has no ", Word(), " day"));
    ++at_;
    int last = first;
    if (IsTo(Word()) && OrdinalOf(Word(1)).has_value()) {
      ++at_;
      last = OrdinalOf(Word()).value_or(0);
      if (last < first || last > 31) return Fail("a range of days must run forwards, up to 31st");
      ++at_;
    }
    ordinals |= NumbersFrom(first, last);
    const std::size_t skip = Word() == "and" ? 1 : 0;
    if (!OrdinalOf(Word(skip)).has_value()) break;
    at_ += skip;
  }
  const bool is_last = Holds(ordinals, 0);
  const std::optional<int> weekday = WeekdayOf(Word());
  const bool day_word = IsDayWord(Word());
  if (weekday.has_value() || day_word) ++at_;
  bool of_month = false;
  if (!ReadOfMonth(&of_month)) return false;
  if (every && !of_month && ordinals != NumbersFrom(0, 0) && (weekday.has_value() || day_word)) {
    at_ = begin;
    return Fail("it is not clear what is counted",
                "add \"of the month\", or write \"every 2 days\"");
  }
  if (!weekday.has_value()) {
    draft_.days |= ordinals & NumbersFrom(1, 31);
    if (is_last) draft_.days |= NumbersFrom(CalendarFields::kLastDay, CalendarFields::kLastDay);
    return true;
  }
  if ((ordinals & ~NumbersFrom(0, 5)) != 0) {
    at_ = begin;
    return Fail("a month has at most five of a weekday", "name first to fifth, or last");
  }
  const NumberSet day = NumbersFrom(*weekday, *weekday);
  for (std::size_t week = 1; week <= 5; ++week) {
    if (Holds(ordinals, static_cast<int>(week))) draft_.weekdays[week] |= day;
  }
  if (is_last) draft_.weekdays[CalendarFields::kLastWeek] |= day;
  return true;
}

// Takes "of the month", "of every month"; before the name of a month takes "of".
bool EnglishReader::ReadOfMonth(bool* read) {
  if (Word() != "of" && !(Word() == "in" && Word(1) == "the")) return true;
  const std::string before(Word());
  ++at_;
  *read = true;
  if (MonthOf(Word()).has_value()) return true;
  if (Word() == "the" || IsEvery(Word())) ++at_;
  if (UnitOf(Word()) != TimeUnit::kMonth) return FailExpected("\"the month\" or a month", before);
  ++at_;
  return true;
}

bool EnglishReader::IsTime(bool expected) const {
  ClockTime time;
  const ClockReading reading = ReadClock(Word(), &time);
  return reading == ClockReading::kTime || reading == ClockReading::kOpen ||
         reading == ClockReading::kInvalid ||
         (reading == ClockReading::kBare && (expected || IsHalf(Word(1)) || IsTo(Word(1))));
}

// Requires: IsTime(true).
bool EnglishReader::ReadTime(ClockTime* time) {
  const ClockReading reading = ReadClock(Word(), time);
  const std::string text(Word());
  if (reading == ClockReading::kInvalid) {
    return Fail(absl::StrCat("\"", text, "\" is no time of day"),
                "a time is such as 9am, 5:30 pm or 17:30");
  }
  const bool half = reading != ClockReading::kTime && IsHalf(Word(1));
  if (reading == ClockReading::kBare && !half) {
    return Fail(absl::StrCat("it is not clear which time ", text, " is"),
                absl::StrCat("write ", text, "am, ", text, "pm or ", text, ":00"));
  }
  if (half && !ApplyHalf(Word(1), time)) {
    return Fail(absl::StrCat("\"", text, " ", Word(1), "\" is no time of day"),
                "before am and pm the hour is 1 to 12");
  }
  at_ += half ? 2 : 1;
  return true;
}

// One time, or a span of two.
bool EnglishReader::ReadTimes() {
  EnglishDraft::Time time;
  time.offset = Offset();
  const std::size_t begin = at_;
  if (!ReadTime(&time.time)) return false;
  if (IsTo(Word())) {
    at_ = begin;
    return ReadSpan(false);
  }
  draft_.times.push_back(time);
  return true;
}

}  // namespace

std::variant<CalendarFields, ScheduleError> ReadEnglishSchedule(absl::string_view text) {
  return EnglishReader(text).Read();
}

}  // namespace fairlead::resources
