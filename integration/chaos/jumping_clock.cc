#include "integration/chaos/jumping_clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/status.h"

namespace fairlead::chaos {

static_assert(std::atomic<int64_t>::is_always_lock_free, "it lies in a file");

absl::StatusOr<JumpingClock> JumpingClock::Open(const std::string& file) {
  const int handle = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (handle < 0) return base::ErrnoStatus(errno, file);
  void* const mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, handle, 0);
  close(handle);
  if (mapped == MAP_FAILED) return base::ErrnoStatus(errno, file);
  return JumpingClock(static_cast<const std::atomic<int64_t>*>(mapped));
}

absl::Time JumpingClock::Now() const {
  return base::Clock::Real().Now() + absl::Nanoseconds(offset_->load());
}

absl::Status SetClockOffset(const std::string& file, absl::Duration offset) {
  const int handle = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (handle < 0) return base::ErrnoStatus(errno, file);
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(offset);
  const ssize_t written = pwrite(handle, &nanoseconds, sizeof(nanoseconds), 0);
  close(handle);
  return written == sizeof(nanoseconds) ? absl::OkStatus() : base::ErrnoStatus(EIO, file);
}

}  // namespace fairlead::chaos
