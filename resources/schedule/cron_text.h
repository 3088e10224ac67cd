// Cron as people write it.
#pragma once

#include <variant>

#include "absl/strings/string_view.h"

#include "resources/schedule/calendar_fields.h"
#include "resources/schedule/schedule_error.h"

namespace fairlead::resources {

// Reads five fields (minute, hour, day of month, month, day of week), six with seconds first, or
// a name such as "@daily". Both day fields must match. What it gives may never happen.
std::variant<CalendarFields, ScheduleError> ReadCron(absl::string_view text);

}  // namespace fairlead::resources
