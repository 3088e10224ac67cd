// The reconcile loop's picture of the world, for all who only look.
#pragma once

#include <cstdint>

#include "sync/planner.h"

namespace fairlead::loop {

// Read-only picture for the services; shared, immutable.
struct LoopView {
  sync::PlanInput input;
  sync::PlanResult result;
  // Raised with each pass; 0 before the first: nothing is declared then.
  uint64_t generation = 0;
  // Nothing to do and everything healthy.
  bool converged = false;
};

}  // namespace fairlead::loop
