#include "integration/testing/wait.h"

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace fairlead::integration {

absl::Status WaitFor(absl::string_view what, const std::function<bool()>& condition,
                     absl::Duration patience, absl::Duration pause) {
  const absl::Time deadline = base::Clock::Real().Now() + patience;
  while (!condition()) {
    if (base::Clock::Real().Now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("waited ", absl::FormatDuration(patience), " in vain for: ", what));
    }
    std::this_thread::sleep_for(absl::ToChronoMilliseconds(pause));
  }
  return absl::OkStatus();
}

absl::Status HoldsFor(absl::string_view what, const std::function<bool()>& condition,
                      absl::Duration span) {
  const absl::Time end = base::Clock::Real().Now() + span;
  while (base::Clock::Real().Now() < end) {
    if (!condition()) {
      return absl::FailedPreconditionError(absl::StrCat("did not stay true: ", what));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return absl::OkStatus();
}

testing::AssertionResult IsOk(const char* expression, const absl::Status& status) {
  if (status.ok()) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << expression << ": " << status;
}

}  // namespace fairlead::integration
