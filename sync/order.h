// The order of steps. Internal to the planner.
#pragma once

#include <vector>

#include "sync/facts.h"
#include "sync/planner.h"

namespace fairlead::sync {

// A step to be put in its place.
struct OrderItem {
  const Facts* facts = nullptr;
  const Decision* decision = nullptr;
};

// Positions in `items` in order of execution: dependencies first; removals in reverse, after all
// others unless one of these waits for what they hold. Ties by id. Requires: sorted by id.
std::vector<size_t> ComputeOrder(const std::vector<OrderItem>& items);

}  // namespace fairlead::sync
