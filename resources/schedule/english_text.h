// Schedules as English phrases.
#pragma once

#include <variant>

#include "absl/strings/string_view.h"

#include "resources/schedule/calendar_fields.h"
#include "resources/schedule/schedule_error.h"

namespace fairlead::resources {

// Reads a phrase such as "Every weekday at 17:30". What it gives may never happen.
std::variant<CalendarFields, ScheduleError> ReadEnglishSchedule(absl::string_view text);

}  // namespace fairlead::resources
