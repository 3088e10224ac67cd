// Steps that belong together: none starts before the pre-flight of all has passed.
#pragma once

#include <vector>

#include "sync/planner.h"

namespace fairlead::loop {

// Indexes into the plan's steps. A group are steps that make a container of a new spec and are
// linked by `after`, at least two of them: half of such a change may be worse than none of it.
// Steps that heal, that go back to an earlier spec, or that bring back what is gone are in no
// group, nor are those that wait for something else than each other (an approval, a server).
std::vector<std::vector<int>> ComputePreflightGroups(const sync::PlanInput& input,
                                                     const sync::PlanResult& result);

// The last look at what the step makes found something in the way, and is not repeated yet.
bool HasFailedPreflight(const sync::PlanInput& input, const v1::Step& step);

}  // namespace fairlead::loop
