// Simulated time: what happens next.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/time/time.h"

namespace fairlead::simulation {

// Events in order of (time, sequence): nothing else decides what comes first.
class Timeline {
 public:
  absl::Time now() const { return now_; }

  // A time that has passed counts as now.
  void At(absl::Time time, std::function<void()> event);
  void After(absl::Duration delay, std::function<void()> event) {
    At(now_ + delay, std::move(event));
  }

  // Runs the next event that is due by `until`. Without one the time becomes `until`, and the
  // result is false.
  bool RunNext(absl::Time until);
  void RunUntil(absl::Time until) {
    while (RunNext(until)) {
    }
  }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  uint64_t sequence_ = 0;
  std::map<std::pair<absl::Time, uint64_t>, std::function<void()>> events_;
};

}  // namespace fairlead::simulation
