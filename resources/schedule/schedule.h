// When a procedure, an action, a build or a sync runs by the clock.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "resources/schedule/calendar_fields.h"
#include "resources/schedule/schedule_error.h"

namespace fairlead::resources {

enum class ScheduleFormat {
  // A phrase such as "Every day at 03:00".
  kEnglish,
  // Five fields, or six with seconds first.
  kCron,
};

// A schedule that runs now and then for ever. A value; equal when it runs at the same times.
// docs/schedules.md tells the grammar and the rules for daylight saving time.
class Schedule {
 public:
  // Requires: fields.EverMatches().
  explicit Schedule(const CalendarFields& fields) : fields_(fields) { fields_.Settle(); }

  // The first run later than `after`, on a whole second. A local time that does not exist runs
  // once, at the moment after the gap, unless the schedule runs in every hour. One that exists
  // twice runs once, the first time, unless the schedule is a rhythm such as "every 5 minutes".
  // None when `after` is outside the years 1 to 9999.
  std::optional<absl::Time> Next(absl::Time after, absl::TimeZone zone) const;

  // The next `count` runs.
  std::vector<absl::Time> NextTimes(absl::Time after, absl::TimeZone zone, std::size_t count) const;

  // The schedule as cron with six fields, whatever it was written as.
  std::string Describe() const { return fields_.CronText(); }

  bool operator==(const Schedule&) const = default;

 private:
  CalendarFields fields_;
};

// Reads a schedule. A text in the other format is an error that says so.
std::variant<Schedule, ScheduleError> ReadSchedule(ScheduleFormat format, absl::string_view text);

// The same with the error in one line: InvalidArgument `schedule "every dya": column 7: ...`.
absl::StatusOr<Schedule> ParseSchedule(ScheduleFormat format, absl::string_view text);

}  // namespace fairlead::resources
