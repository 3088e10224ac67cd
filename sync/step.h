// What a plan says of one step. Internal to the planner.
#pragma once

#include <vector>

#include "sync/facts.h"
#include "sync/planner.h"

namespace fairlead::sync {

// True when the step's field changes come from comparing the applied with the declared spec.
bool ShowsChanges(const Facts& facts, const Decision& decision);

// Without field changes.
v1::Step MakeStep(const Facts& facts, const Decision& decision);

}  // namespace fairlead::sync
