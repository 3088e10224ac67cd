#include "resources/schedule/english_draft.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

bool IsWithinDay(TimeUnit unit) { return unit <= TimeUnit::kHour; }

// How many of a unit make the next; a frequency must be below it. 0 where only 1 may be told.
int LimitOf(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSecond:
    case TimeUnit::kMinute:
      return 60;
    case TimeUnit::kHour:
      return 24;
    case TimeUnit::kDay:
      return 31;
    case TimeUnit::kMonth:
      return 12;
    default:
      return 0;
  }
}

// Joins the parts of a draft; the first that does not fit ends it. The functions return false
// after an error.
class Combination {
 public:
  explicit Combination(const EnglishDraft& draft) : draft_(draft) {}

  std::variant<CalendarFields, ScheduleError> Make() {
    const bool ok = CheckCount() && AddDays() && AddClock();
    if (!ok) return error_;
    return fields_;
  }

 private:
  bool CheckCount();
  bool AddDays();
  bool AddStepOfDays();
  bool AddDefaultDays();
  bool AddClock();
  bool AddTimes();
  bool AddRhythm();
  bool AddHours();
  bool Is(TimeUnit unit) const { return draft_.frequency && draft_.frequency->unit == unit; }
  bool NamesWeekday() const {
    for (const NumberSet set : draft_.weekdays) {
      if (set != 0) return true;
    }
    return false;
  }
  bool Fail(std::size_t offset, std::string message, std::string suggestion) {
    error_ = {offset, std::move(message), std::move(suggestion)};
    return false;
  }

  const EnglishDraft& draft_;
  CalendarFields fields_ = CalendarFields::Midnights();
  ScheduleError error_;
};

bool Combination::CheckCount() {
  if (!draft_.frequency.has_value()) return true;
  const auto& [unit, count, offset] = *draft_.frequency;
  const int limit = LimitOf(unit);
  if (count == 1 || (count > 1 && count < limit)) return true;
  const std::string phrase = absl::StrCat("every ", count, " ", NameOf(unit), "s");
  if (count < 1) return Fail(offset, absl::StrCat("\"", phrase, "\" is never"), "count from 1");
  if (limit == 0) {
    return Fail(offset, absl::StrCat("a schedule does not count ", NameOf(unit), "s"),
                "name days, such as \"on the 1st and 15th of the month\"");
  }
  std::string suggestion = "name the times, or use several schedules";
  if (unit <= TimeUnit::kHour && count % limit == 0) {
    const int larger = count / limit;
    const auto next = static_cast<TimeUnit>(static_cast<int>(unit) + 1);
    suggestion = larger == 1 ? absl::StrCat("write \"every ", NameOf(next), "\"")
                             : absl::StrCat("write \"every ", larger, " ", NameOf(next), "s\"");
  }
  return Fail(offset,
              absl::StrCat("\"", phrase, "\" cannot be told: a schedule counts ", NameOf(unit),
                           "s up to ", limit - 1),
              suggestion);
}

bool Combination::AddDays() {
  if (draft_.months != 0) fields_.months = draft_.months;
  if (draft_.days != 0) fields_.days = draft_.days;
  if (NamesWeekday()) fields_.weekdays = draft_.weekdays;
  if (!draft_.frequency.has_value()) return true;
  return draft_.frequency->count > 1 ? AddStepOfDays() : AddDefaultDays();
}

bool Combination::AddStepOfDays() {
  const auto& [unit, count, offset] = *draft_.frequency;
  if (unit == TimeUnit::kDay) {
    if (draft_.days != 0 || NamesWeekday()) {
      return Fail(offset, absl::StrCat("\"every ", count, " days\" does not go with named days"),
                  "keep one of them");
    }
    fields_.days = NumbersFrom(1, 31, count);
  } else if (unit == TimeUnit::kMonth) {
    if (draft_.months != 0) {
      return Fail(offset,
                  absl::StrCat("\"every ", count, " months\" does not go with named months"),
                  "keep one of them");
    }
    fields_.months = NumbersFrom(1, 12, count);
    return AddDefaultDays();
  }
  return true;
}

bool Combination::AddDefaultDays() {
  const std::size_t offset = draft_.frequency->offset;
  const NumberSet any = draft_.weekdays[CalendarFields::kAnyWeek];
  if (Is(TimeUnit::kWeek) && any == 0) {
    return Fail(offset, "\"every week\" does not say on which day", "write \"every Monday\"");
  }
  if (Is(TimeUnit::kYear)) {
    if (draft_.months == 0 && (draft_.days != 0 || NamesWeekday())) {
      return Fail(offset, "\"every year\" does not say in which month",
                  "name it, as in \"on January 15th\"");
    }
    if (draft_.months == 0) fields_.months = NumbersFrom(1, 1);
  }
  if (!Is(TimeUnit::kYear) && !Is(TimeUnit::kMonth)) return true;
  if (any != 0) {
    return Fail(offset, "it is not said which of the weekdays of the month",
                "write \"on the first Monday of the month\", or leave out the frequency");
  }
  if (draft_.days == 0 && !NamesWeekday()) fields_.days = NumbersFrom(1, 1);
  return true;
}

bool Combination::AddClock() {
  const bool within_day = draft_.frequency.has_value() && IsWithinDay(draft_.frequency->unit);
  if (draft_.window.has_value() && !within_day) {
    return Fail(draft_.window->offset, "a span of hours does not say how often",
                "add \"every 15 minutes\" or \"every hour\"");
  }
  if (draft_.minute.has_value() && !Is(TimeUnit::kHour)) {
    return Fail(draft_.minute->offset, "\"at minute\" goes with \"every hour\" only",
                "write a time such as \"at 09:30\"");
  }
  if (!within_day) return AddTimes();
  if (!draft_.times.empty()) {
    return Fail(draft_.times.front().offset,
                absl::StrCat("a time of day does not go with \"every ",
                             NameOf(draft_.frequency->unit), "\""),
                "write \"every day at ...\", or a span such as \"between 9am and 5pm\"");
  }
  return AddHours() && AddRhythm();
}

bool Combination::AddTimes() {
  if (draft_.times.empty()) return true;
  const ClockTime& first = draft_.times.front().time;
  fields_.hours = 0;
  for (const EnglishDraft::Time& time : draft_.times) {
    if (time.time.minute != first.minute || time.time.second != first.second) {
      return Fail(time.offset, "several times of a day must share their minute",
                  "use one schedule for each minute");
    }
    fields_.hours |= NumbersFrom(time.time.hour, time.time.hour);
  }
  fields_.minutes.set = NumbersFrom(first.minute, first.minute);
  fields_.seconds.set = NumbersFrom(first.second, first.second);
  return true;
}

bool Combination::AddHours() {
  const int step = Is(TimeUnit::kHour) ? draft_.frequency->count : 1;
  if (!draft_.window.has_value()) {
    fields_.hours = NumbersFrom(0, 23, step);
    return true;
  }
  const auto& [from, to, offset] = *draft_.window;
  // An hour that ends at :59 is the same hour as one that begins at :00.
  const bool whole = from.minute == 0 && from.second == 0 && (to.minute == 0 || to.minute == 59) &&
                     (to.second == 0 || to.second == 59);
  if (!whole) {
    return Fail(offset, "a span must begin and end on a whole hour",
                "write such as \"between 9am and 5pm\"");
  }
  // Past midnight the hours go on at 0.
  const int last = to.hour < from.hour ? to.hour + 24 : to.hour;
  fields_.hours = 0;
  for (int hour = from.hour; hour <= last; hour += step) {
    fields_.hours |= NumbersFrom(hour % 24, hour % 24);
  }
  return true;
}

bool Combination::AddRhythm() {
  if (Is(TimeUnit::kHour)) {
    const int minute = draft_.minute.has_value() ? draft_.minute->number : 0;
    fields_.minutes.set = NumbersFrom(minute, minute);
    return true;
  }
  const bool minutes = Is(TimeUnit::kMinute);
  fields_.minutes = {NumbersFrom(0, 59, minutes ? draft_.frequency->count : 1), true};
  if (!minutes) fields_.seconds = {NumbersFrom(0, 59, draft_.frequency->count), true};
  return true;
}

}  // namespace

bool EnglishDraft::AddFrequency(const Frequency& added) {
  if (!frequency.has_value()) {
    frequency = added;
    return true;
  }
  // "every hour every day" says no more than "every hour".
  const bool first_is_finer = frequency->unit < added.unit;
  const Frequency& coarser = first_is_finer ? added : *frequency;
  if (frequency->unit == added.unit || coarser.count != 1) return false;
  if (!first_is_finer) frequency = added;
  return true;
}

std::variant<CalendarFields, ScheduleError> EnglishDraft::Combine() const {
  return Combination(*this).Make();
}

}  // namespace fairlead::resources
