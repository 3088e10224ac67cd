// The only source of time. Everything that needs it takes a Clock, or the time itself.
#pragma once

#include "absl/time/time.h"

namespace fairlead::base {

// Thread-safe. Outlives its users.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time; may jump.
  virtual absl::Time Now() const = 0;

  // The machine's clock.
  static Clock& Real();
};

}  // namespace fairlead::base
