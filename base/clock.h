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
  // Since some moment; no jump of the wall time moves it. A clock that never jumps needs no own.
  virtual absl::Duration Uptime() const { return Now() - absl::UnixEpoch(); }

  // The machine's clock.
  static Clock& Real();
};

}  // namespace fairlead::base
