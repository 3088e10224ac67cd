// Which changes wait for an operator's leave. Internal to the planner.
#pragma once

#include <memory>

#include "sync/facts.h"
#include "sync/planner.h"

namespace fairlead::sync {

// The step is a change of a sync that asks for approval, and nobody has approved it. What heals,
// finishes or ends a replacement, or carries out an operator's wish needs none.
bool WaitsForApproval(const Facts& facts, const Decision& decision);

// Holds the step back.
void GateOnApproval(Decision& decision);

}  // namespace fairlead::sync
