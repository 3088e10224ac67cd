// The clock of a host: it drifts and jumps.
#pragma once

#include "absl/time/time.h"

#include "base/clock.h"
#include "integration/simulation/timeline.h"

namespace fairlead::simulation {

// `timeline` outlives it.
class HostClock final : public base::Clock {
 public:
  explicit HostClock(const Timeline& timeline) : timeline_(timeline), since_(timeline.now()) {}

  absl::Time Now() const override {
    return since_ + offset_ + (timeline_.now() - since_) * (1.0 + drift_);
  }
  void Jump(absl::Duration by) { offset_ += by; }
  // Seconds gained in a second.
  void SetDrift(double drift) {
    offset_ = Now() - timeline_.now();
    since_ = timeline_.now();
    drift_ = drift;
  }

 private:
  const Timeline& timeline_;
  absl::Time since_;
  absl::Duration offset_;
  double drift_ = 0;
};

}  // namespace fairlead::simulation
