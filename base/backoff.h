// Exponential backoff with jitter.
#pragma once

#include "absl/time/time.h"

#include "base/ids.h"

namespace fairlead::base {

struct BackoffPolicy {
  absl::Duration initial = absl::Seconds(1);
  absl::Duration maximum = absl::Minutes(5);
  double factor = 2.0;
  // Part of the delay that is random: 0.2 gives 80 to 120 %.
  double jitter = 0.2;
};

// The delay before attempt number `attempt` (from 1) after a failure, without jitter.
absl::Duration ComputeDelay(const BackoffPolicy& policy, int attempt);

// Delay with jitter.
absl::Duration ComputeJitteredDelay(const BackoffPolicy& policy, int attempt, Random& random);

// Whether a wait by the default policy's maximum, or one without end, goes on at `now`. One whose
// end is farther away than a wait is long began before the clock was set back, and is over.
bool IsWaiting(absl::Time until, absl::Time now);

}  // namespace fairlead::base
