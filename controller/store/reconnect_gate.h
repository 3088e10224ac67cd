// When a server that was away is asked again.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/backoff.h"

namespace fairlead::store {

// Between two attempts calls fail at once instead of waiting for a server that is not there. Not
// thread-safe.
class ReconnectGate {
 public:
  ReconnectGate(const base::BackoffPolicy& policy, base::Random& random)
      : policy_(policy), random_(random) {}

  // OK when an attempt may be made at `uptime`; else why the last one failed.
  absl::Status Check(absl::Duration uptime) const {
    return failures_ == 0 || uptime >= next_ ? absl::OkStatus() : last_;
  }
  void NoteFailure(absl::Duration uptime, const absl::Status& why) {
    last_ = why;
    next_ = uptime + base::ComputeJitteredDelay(policy_, ++failures_, random_);
  }
  void NoteSuccess() { failures_ = 0; }

 private:
  const base::BackoffPolicy policy_;
  base::Random& random_;
  int failures_ = 0;
  // Uptime of the next attempt.
  absl::Duration next_;
  absl::Status last_;
};

}  // namespace fairlead::store
