// What a schedule phrase has said, before it is known whether its parts fit.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "resources/schedule/calendar_fields.h"
#include "resources/schedule/english_words.h"
#include "resources/schedule/schedule_error.h"

namespace fairlead::resources {

struct EnglishDraft {
  // "every 5 minutes".
  struct Frequency {
    TimeUnit unit = TimeUnit::kDay;
    int count = 1;
    std::size_t offset = 0;
  };
  // "at 9am".
  struct Time {
    ClockTime time;
    std::size_t offset = 0;
  };
  // "between 9am and 5pm".
  struct Window {
    ClockTime from;
    ClockTime to;
    std::size_t offset = 0;
  };
  // "at minute 10".
  struct Minute {
    int number = 0;
    std::size_t offset = 0;
  };
  // The rarest of unit and count that the phrase names, but for those that say nothing more.
  std::optional<Frequency> frequency;
  std::vector<Time> times;
  std::optional<Window> window;
  std::optional<Minute> minute;
  // As in CalendarFields; empty where the phrase names none.
  NumberSet days = 0;
  NumberSet months = 0;
  std::array<NumberSet, 7> weekdays = {};

  // False when the draft has a frequency already that says something else.
  bool AddFrequency(const Frequency& added);

  // The fields, or what does not fit.
  std::variant<CalendarFields, ScheduleError> Combine() const;
};

}  // namespace fairlead::resources
