// What is wrong with the text of a schedule.
#pragma once

#include <cstddef>
#include <string>

namespace fairlead::resources {

struct ScheduleError {
  // In bytes from the begin of the text.
  std::size_t offset = 0;
  // Lower case, without a full stop.
  std::string message;
  // What to do; may be empty.
  std::string suggestion;
};

}  // namespace fairlead::resources
