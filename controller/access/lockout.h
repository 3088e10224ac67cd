// Who has failed to prove an identity too often must wait.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/mutex.h"

namespace fairlead::access {

struct LockoutPolicy {
  // Failures that cost nothing.
  int free_of_a_user = 5;
  int free_of_an_address = 20;
  // After the next one; doubles with each further one.
  absl::Duration first_wait = absl::Seconds(1);
  absl::Duration longest_wait = absl::Minutes(15);
  // After so long without a failure all is forgotten.
  absl::Duration memory = absl::Hours(1);
  // Names and addresses remembered; the oldest go first, addresses before names.
  std::size_t most = 10'000;
};

// Counts failures for each user and for each address, by SiteOf it. Thread-safe. Time is
// `Clock::Uptime`, so that nobody shortens a wait by setting the clock.
class Lockout {
 public:
  explicit Lockout(const LockoutPolicy& policy = {}) : policy_(policy) {}

  // ResourceExhausted with the time to wait. Either text may be empty: it is not asked.
  absl::Status Check(const std::string& user, const std::string& address,
                     absl::Duration uptime) const ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteFailure(const std::string& user, const std::string& address, absl::Duration uptime)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets the user; the address stays suspect.
  void NoteSuccess(const std::string& user) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    int failures = 0;
    absl::Duration last;
    absl::Duration blocked_until;
  };

  void CountLocked(const std::string& key, int free, absl::Duration uptime)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LockoutPolicy policy_;
  mutable base::Mutex mutex_;
  // By "user NAME" and "address SITE".
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

// So many at once, so many in a minute, over all callers together. Thread-safe.
class RateLimit {
 public:
  RateLimit(double per_minute, double at_once) : per_minute_(per_minute), at_once_(at_once) {}

  // Whether one more may happen now; counts it when it may.
  bool Take(absl::Duration uptime) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const double per_minute_;
  const double at_once_;
  base::Mutex mutex_;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  double left_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::access
