// How many calls each identity may make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/access/caller.h"

namespace fairlead::access {

struct CallRateLimits {
  double per_second = 100;
  // After a pause.
  double at_once = 1000;
  // Addresses remembered, and as many proven identities; more of either share what one may.
  std::size_t most = 10'000;
};

// Thread-safe. Times are `Clock::Uptime`.
class CallRates {
 public:
  struct Answer {
    // Zero when the call may go on; else after so long one may.
    absl::Duration wait;
    // Of a refusal: the first of this identity for a minute. The others are only counted.
    bool is_news = false;
  };

  explicit CallRates(const CallRateLimits& limits) : limits_(limits) {}

  // Counts a call. `identity` is a RateIdentity.
  Answer Take(const std::string& identity, absl::Duration uptime) ABSL_LOCKS_EXCLUDED(mutex_);
  const CallRateLimits& limits() const { return limits_; }

 private:
  struct Bucket {
    double left = 0;
    absl::Duration last;
    absl::Duration told = -absl::InfiniteDuration();
  };

  struct Table {
    std::map<std::string, Bucket> buckets;
    absl::Duration swept = -absl::InfiniteDuration();
  };

  double Refilled(const Bucket& bucket, absl::Duration uptime) const;
  // Forgets who could make as many calls as who was never here.
  void Sweep(Table& table, absl::Duration uptime) const;

  const CallRateLimits limits_;
  base::Mutex mutex_;
  // Apart: a flood from many addresses takes no place from who is proven.
  Table addresses_ ABSL_GUARDED_BY(mutex_);
  Table proven_ ABSL_GUARDED_BY(mutex_);
};

// Whom a call counts for: who is proven by name, everybody else by SiteOf the address.
std::string RateIdentity(const Caller& caller);

}  // namespace fairlead::access
