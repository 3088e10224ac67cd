// Incidents: what operators, commits, hosts and networks do at random for a while.
#pragma once

#include "absl/time/time.h"

#include "integration/simulation/world.h"

namespace fairlead::simulation {

// Lets incidents happen for `time`, with a temper of this storm drawn from the seed: how often,
// and how bad engines are. Afterwards nothing is broken any more but what takes its time to end.
void Storm(World& world, absl::Duration time);

}  // namespace fairlead::simulation
