#include "base/backoff.h"

#include <algorithm>

namespace fairlead::base {

absl::Duration ComputeDelay(const BackoffPolicy& policy, int attempt) {
  absl::Duration delay = policy.initial;
  for (int i = 1; i < attempt && delay < policy.maximum; ++i) delay *= policy.factor;
  return std::min(delay, policy.maximum);
}

absl::Duration ComputeJitteredDelay(const BackoffPolicy& policy, int attempt, Random& random) {
  constexpr uint64_t kSteps = 1 << 20;
  const double unit = static_cast<double>(random.Next() % kSteps) / static_cast<double>(kSteps);
  return ComputeDelay(policy, attempt) * (1.0 + policy.jitter * (2.0 * unit - 1.0));
}

bool IsWaiting(absl::Time until, absl::Time now) {
  const BackoffPolicy policy;
  const absl::Duration longest = policy.maximum * (1 + policy.jitter);
  return until == absl::InfiniteFuture() || (until > now && until - now <= longest);
}

}  // namespace fairlead::base
