#include "integration/simulation/timeline.h"

#include <algorithm>

namespace fairlead::simulation {

void Timeline::At(absl::Time time, std::function<void()> event) {
  events_.emplace(std::pair(std::max(time, now_), sequence_++), std::move(event));
}

bool Timeline::RunNext(absl::Time until) {
  const auto next = events_.begin();
  if (next == events_.end() || next->first.first > until) {
    now_ = std::max(now_, until);
    return false;
  }
  now_ = next->first.first;
  const std::function<void()> event = std::move(next->second);
  events_.erase(next);
  event();
  return true;
}

}  // namespace fairlead::simulation
