// Names of days and months.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// 0 (Sunday) to 6 of "mon", "Monday", "tues", "mondays"; case does not count.
std::optional<int> WeekdayOf(absl::string_view word);

// 1 to 12 of "jan", "January", "sept"; case does not count.
std::optional<int> MonthOf(absl::string_view word);

// In lower case, in full.
const std::vector<std::string>& WeekdayNames();
const std::vector<std::string>& MonthNames();

}  // namespace fairlead::resources
