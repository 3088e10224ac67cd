// A clock that stands until it is advanced.
#pragma once

#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"

namespace fairlead::base {

// Thread-safe.
class SimulatedClock final : public Clock {
 public:
  explicit SimulatedClock(absl::Time start = absl::FromUnixSeconds(1'700'000'000)) : now_(start) {}

  absl::Time Now() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  absl::Duration Uptime() const override {
    MutexLock lock(mutex_);
    return uptime_;
  }
  void Advance(absl::Duration by) {
    MutexLock lock(mutex_);
    now_ += by;
    uptime_ += by;
  }
  // Somebody sets the wall time.
  void Jump(absl::Duration by) {
    MutexLock lock(mutex_);
    now_ += by;
  }

 private:
  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::Duration uptime_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::base
