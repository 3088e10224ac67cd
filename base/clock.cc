#include "base/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace fairlead::base {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Uptime() const override {
    // Goes on while the machine sleeps, as leases and deadlines of others do.
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return absl::DurationFromTimespec(now);
  }
};

}  // namespace

Clock& Clock::Real() {
  static RealClock clock;
  return clock;
}

}  // namespace fairlead::base
