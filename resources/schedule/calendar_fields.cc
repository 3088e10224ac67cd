#include "resources/schedule/calendar_fields.h"

#include <bit>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {
namespace {

constexpr absl::string_view kWeekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};

int Lowest(NumberSet set) { return std::countr_zero(set); }
int Highest(NumberSet set) { return 63 - std::countl_zero(set); }

// The lowest number that is at least `number`.
std::optional<int> AtLeast(NumberSet set, int number) {
  if (number >= 64) return std::nullopt;
  const NumberSet rest = set & (~NumberSet{0} << number);
  if (rest == 0) return std::nullopt;
  return Lowest(rest);
}

// The distance between all neighbours of a set of two or more; 0 where it varies.
int StepOf(NumberSet set) {
  const int first = Lowest(set);
  const NumberSet rest = set & (set - 1);
  if (rest == 0) return 0;
  const int step = Lowest(rest) - first;
  return NumbersFrom(first, Highest(set), step) == set ? step : 0;
}

// The set is best told as one range or step: all in a row, or in even steps through the field.
bool IsEven(NumberSet set, int lowest, int highest) {
  const int step = StepOf(set);
  return step == 1 || (step > 1 && Lowest(set) == lowest && Highest(set) + step > highest);
}

// A set of two or more in even steps, as one item.
std::string ItemText(NumberSet set, int lowest, int highest) {
  const int step = StepOf(set);
  const bool to_end = Highest(set) + step > highest;
  if (set == NumbersFrom(lowest, highest)) return "*";
  if (to_end && Lowest(set) == lowest) return absl::StrCat("*/", step);
  const int last = to_end && step > 1 ? highest : Highest(set);
  const std::string range = absl::StrCat(Lowest(set), "-", last);
  return step == 1 ? range : absl::StrCat(range, "/", step);
}

std::string NumberList(NumberSet set) {
  std::vector<int> numbers;
  for (; set != 0; set &= set - 1) numbers.push_back(Lowest(set));
  return absl::StrJoin(numbers, ",");
}

std::string SetText(NumberSet set, int lowest, int highest) {
  return IsEven(set, lowest, highest) ? ItemText(set, lowest, highest) : NumberList(set);
}

std::string ClockText(const ClockField& field) {
  return field.rhythm ? ItemText(field.set, 0, 59) : NumberList(field.set);
}

std::string DaysText(NumberSet days) {
  const NumberSet last = NumbersFrom(CalendarFields::kLastDay, CalendarFields::kLastDay);
  if (days == last) return "L";
  const std::string numbers = SetText(days & ~last, 1, 31);
  return (days & last) != 0 ? absl::StrCat(numbers, ",L") : numbers;
}

// From Monday on; runs of three or more as a range, which does not end with Sunday: not every
// cron reads that.
void AppendWeekdays(NumberSet set, std::vector<std::string>* items) {
  for (int day = 1; day < 7; ++day) {
    if (!Holds(set, day)) continue;
    int last = day;
    while (last < 6 && Holds(set, last + 1)) ++last;
    if (last - day < 2) {
      items->emplace_back(kWeekdays[day]);
      continue;
    }
    items->push_back(absl::StrCat(kWeekdays[day], "-", kWeekdays[last]));
    day = last;
  }
  if (Holds(set, 0)) items->emplace_back(kWeekdays[0]);
}

std::string WeekdaysText(const std::array<NumberSet, 7>& weekdays) {
  if (weekdays[CalendarFields::kAnyWeek] == NumbersFrom(0, 6)) return "*";
  std::vector<std::string> items;
  AppendWeekdays(weekdays[CalendarFields::kAnyWeek], &items);
  for (std::size_t week = 1; week < weekdays.size(); ++week) {
    for (int day = 0; day < 7; ++day) {
      if (!Holds(weekdays[week], day)) continue;
      items.push_back(absl::StrCat(
          kWeekdays[day], "#",
          week == CalendarFields::kLastWeek ? "L" : absl::StrCat(static_cast<int>(week))));
    }
  }
  return absl::StrJoin(items, ",");
}

absl::CivilDay LastOfMonth(absl::CivilDay day) {
  return absl::CivilDay(absl::CivilMonth(day) + 1) - 1;
}

}  // namespace

NumberSet NumbersFrom(int first, int last, int step) {
  NumberSet set = 0;
  for (int number = first; number <= last; number += step) set |= NumberSet{1} << number;
  return set;
}

CalendarFields CalendarFields::Midnights() {
  CalendarFields fields;
  fields.seconds.set = NumbersFrom(0, 0);
  fields.minutes.set = NumbersFrom(0, 0);
  fields.hours = NumbersFrom(0, 0);
  fields.days = NumbersFrom(1, 31);
  fields.months = NumbersFrom(1, 12);
  fields.weekdays[kAnyWeek] = NumbersFrom(0, 6);
  return fields;
}

bool CalendarFields::EveryHour() const { return hours == NumbersFrom(0, 23); }

bool CalendarFields::IsRhythm() const { return EveryHour() || minutes.rhythm || seconds.rhythm; }

bool CalendarFields::MatchesDay(absl::CivilDay day) const {
  if (!Holds(months, day.month())) return false;
  const bool last = Holds(days, kLastDay) && day == LastOfMonth(day);
  if (!last && !Holds(days, day.day())) return false;
  // absl counts from Monday.
  const int weekday = (static_cast<int>(absl::GetWeekday(day)) + 1) % 7;
  const int week = (day.day() - 1) / 7 + 1;
  NumberSet matching = weekdays[kAnyWeek] | weekdays[static_cast<std::size_t>(week)];
  if (absl::CivilMonth(day + 7) != absl::CivilMonth(day)) matching |= weekdays[kLastWeek];
  return Holds(matching, weekday);
}

std::optional<absl::CivilSecond> CalendarFields::FirstMatch(absl::CivilSecond from,
                                                            absl::CivilSecond end) const {
  absl::CivilDay day(from);
  std::optional<absl::CivilSecond> match;
  if (MatchesDay(day)) match = FirstTimeOfDay(from);
  if (!match.has_value()) {
    do {
      ++day;
      if (!Holds(months, day.month())) day = LastOfMonth(day);
      if (absl::CivilSecond(day) >= end) return std::nullopt;
    } while (!MatchesDay(day));
    match = FirstTimeOfDay(absl::CivilSecond(day));
  }
  return match < end ? match : std::nullopt;
}

std::optional<absl::CivilSecond> CalendarFields::FirstTimeOfDay(absl::CivilSecond from) const {
  const absl::CivilHour this_hour(from);
  const absl::CivilMinute this_minute(from);
  for (auto hour = AtLeast(hours, from.hour()); hour; hour = AtLeast(hours, *hour + 1)) {
    const absl::CivilHour in_hour(from.year(), from.month(), from.day(), *hour);
    const int first_minute = in_hour == this_hour ? from.minute() : 0;
    for (auto minute = AtLeast(minutes.set, first_minute); minute;
         minute = AtLeast(minutes.set, *minute + 1)) {
      const absl::CivilMinute in_minute = absl::CivilMinute(in_hour) + *minute;
      const int first_second = in_minute == this_minute ? from.second() : 0;
      if (const auto second = AtLeast(seconds.set, first_second)) {
        return absl::CivilSecond(in_minute) + *second;
      }
    }
  }
  return std::nullopt;
}

bool CalendarFields::EverMatches() const {
  if (seconds.set == 0 || minutes.set == 0 || hours == 0) return false;
  const absl::CivilYear year(2000);
  return FirstMatch(absl::CivilSecond(year), absl::CivilSecond(year + kRarestYears)).has_value();
}

void CalendarFields::Settle() {
  for (ClockField* field : {&seconds, &minutes}) {
    if (EveryHour() || field->set == NumbersFrom(0, 59)) field->rhythm = IsEven(field->set, 0, 59);
    if (StepOf(field->set) == 0) field->rhythm = false;
  }
  if ((days & NumbersFrom(1, 31)) == NumbersFrom(1, 31)) days = NumbersFrom(1, 31);
  for (std::size_t week = 1; week < weekdays.size(); ++week) {
    weekdays[week] &= ~weekdays[kAnyWeek];
  }
}

std::string CalendarFields::CronText() const {
  return absl::StrJoin({ClockText(seconds), ClockText(minutes), SetText(hours, 0, 23),
                        DaysText(days), SetText(months, 1, 12), WeekdaysText(weekdays)},
                       " ");
}

}  // namespace fairlead::resources
