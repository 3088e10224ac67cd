// A wall clock that another process moves.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace fairlead::chaos {

// The environment variable that names the file with the offset.
inline constexpr char kClockFileVariable[] = "CHAOS_CLOCK_FILE";

// The machine's time plus the offset that the file holds right now, 8 bytes of nanoseconds.
// Thread-safe.
class JumpingClock final : public base::Clock {
 public:
  // Maps the file, which stays mapped until the end of the process.
  static absl::StatusOr<JumpingClock> Open(const std::string& file);

  absl::Time Now() const override;
  absl::Duration Uptime() const override { return base::Clock::Real().Uptime(); }

 private:
  explicit JumpingClock(const std::atomic<int64_t>* offset) : offset_(offset) {}
  const std::atomic<int64_t>* const offset_;
};

// The other end: sets the offset, and makes the file if need be.
absl::Status SetClockOffset(const std::string& file, absl::Duration offset);

}  // namespace fairlead::chaos
