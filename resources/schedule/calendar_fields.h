// The moments of a calendar that a schedule names, without a time zone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/civil_time.h"

namespace fairlead::resources {

// A set of small numbers: number n is bit n.
using NumberSet = uint64_t;

// The numbers from `first` to `last`, every `step`-th. Requires: last < 64, step > 0.
NumberSet NumbersFrom(int first, int last, int step = 1);

inline bool Holds(NumberSet set, int number) { return ((set >> number) & 1u) != 0; }

// The set at the seconds or the minutes.
struct ClockField {
  NumberSet set = 0;
  // Written as one star, range or step, such as "*/5": a rhythm rather than times of the clock.
  bool rhythm = false;

  bool operator==(const ClockField&) const = default;
};

// A moment matches when it matches in each field. A value.
struct CalendarFields {
  // Places in `weekdays`: 0 is any, 1 to 5 the first to the fifth of a month.
  static constexpr std::size_t kAnyWeek = 0;
  static constexpr std::size_t kLastWeek = 6;
  static constexpr int kLastDay = 32;
  // What matches ever, matches within so many years: leap years leave gaps of up to 40 for a 29th
  // of February on a given weekday.
  static constexpr int kRarestYears = 41;

  ClockField seconds;
  ClockField minutes;
  // 0 to 23.
  NumberSet hours = 0;
  // 1 to 31, and kLastDay: the last of the month.
  NumberSet days = 0;
  // 1 to 12.
  NumberSet months = 0;
  // Sets of 0 (Sunday) to 6, by week of the month. A day matches in any of them.
  std::array<NumberSet, 7> weekdays = {};

  bool operator==(const CalendarFields&) const = default;

  // Every day at 00:00:00.
  static CalendarFields Midnights();

  bool EveryHour() const;
  // Runs in a rhythm: in every hour, or with a rhythm of minutes or seconds within its hours.
  bool IsRhythm() const;
  bool MatchesDay(absl::CivilDay day) const;

  // The first match that is not before `from` and is before `end`.
  std::optional<absl::CivilSecond> FirstMatch(absl::CivilSecond from, absl::CivilSecond end) const;
  // False for the 30th of February and the like.
  bool EverMatches() const;

  // One spelling for what means the same. Requires: EverMatches().
  void Settle();
  // Six fields of cron, seconds first. Requires: settled.
  std::string CronText() const;

 private:
  // The first time on the day of `from` that is not before it; the day itself is not looked at.
  std::optional<absl::CivilSecond> FirstTimeOfDay(absl::CivilSecond from) const;
};

}  // namespace fairlead::resources
