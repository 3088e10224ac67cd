#include "controller/store_wait.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/mutex.h"

namespace fairlead::controller {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);
constexpr base::BackoffPolicy kAskAgain = {.initial = absl::Milliseconds(500),
                                           .maximum = absl::Seconds(10)};

bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

// False when it is stopping.
bool Pause(absl::Duration delay, const StoreWaitOptions& options) {
  base::Mutex mutex;
  base::CondVar nobody;
  base::MutexLock lock(mutex);
  for (absl::Duration left = delay; left > absl::ZeroDuration(); left -= kLook) {
    if (options.is_stopping != nullptr && options.is_stopping()) return false;
    nobody.WaitFor(mutex, std::min(left, kLook));
  }
  return true;
}

}  // namespace

absl::Status WaitForDatabase(const std::function<absl::Status()>& ask, base::Clock& clock,
                             base::Random& random, const StoreWaitOptions& options) {
  absl::Status status = ask();
  if (!IsAway(status)) return status;
  const absl::Duration end = clock.Uptime() + options.wait;
  std::string told;
  for (int attempt = 1; IsAway(status) && clock.Uptime() < end; ++attempt) {
    const std::string why =
        absl::StrCat("waits for the database (--store-wait ", absl::ToInt64Seconds(options.wait),
                     "): ", status.message());
    if (why != told) base::LogWarning("store", why);
    told = why;
    if (options.on_wait != nullptr) options.on_wait(why);
    const absl::Duration delay = base::ComputeJitteredDelay(kAskAgain, attempt, random);
    if (!Pause(std::min(delay, end - clock.Uptime()), options)) {
      return absl::CancelledError("stopped while it waited for the database");
    }
    status = ask();
  }
  if (status.ok() && !told.empty()) base::LogInfo("store", "the database is there");
  return status;
}

}  // namespace fairlead::controller
