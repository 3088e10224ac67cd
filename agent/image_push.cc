#include "agent/image_push.h"

#include <cstdint>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_error.h"
#include "agent/engine_json.h"
#include "agent/registry_login.h"
#include "agent/transfer_progress.h"
#include "base/backoff.h"
#include "base/mutex.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr int kAttempts = 4;
constexpr absl::Duration kPoll = absl::Milliseconds(50);

// One attempt.
absl::StatusOr<std::string> TryPush(ActionScope& scope, const std::string& reference,
                                    const std::string& auth) {
  const std::size_t colon = reference.rfind(':');
  const std::string repository = reference.substr(0, colon);
  const std::string tag = reference.substr(colon + 1);
  TransferReport report(scope, "pushing", reference);
  std::string digest;
  const auto on_line = [&](const json::object& line) -> absl::Status {
    const std::string error = TextAt(line, {"error"});
    if (!error.empty()) return StatusOfPushError(error);
    if (std::string told = TextAt(line, {"aux", "Digest"}); !told.empty()) digest = told;
    report.Add({.part = TextAt(line, {"id"}),
                .status = TextAt(line, {"status"}),
                .current = static_cast<uint64_t>(NumberAt(line, {"progressDetail", "current"})),
                .total = static_cast<uint64_t>(NumberAt(line, {"progressDetail", "total"}))});
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(scope.engine.DoLines(
      {.method = "POST",
       .target =
           absl::StrCat("/images/", EscapeUrl(repository, "/:"), "/push?tag=", EscapeUrl(tag)),
       .registry_auth = auth},
      on_line, scope.limits));
  return digest;
}

// False when the action ends before.
bool Pause(const ActionScope& scope, absl::Duration duration) {
  base::Mutex mutex;
  base::CondVar never;
  base::MutexLock lock(mutex);
  for (absl::Duration waited; waited < duration; waited += kPoll) {
    if (scope.limits.is_cancelled && scope.limits.is_cancelled()) return false;
    if (scope.clock.Now() >= scope.limits.deadline) return false;
    scope.output.Tick();
    never.WaitFor(mutex, kPoll);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> PushImage(ActionScope& scope, const std::string& reference,
                                      const v1::Login& login) {
  const std::string auth = RegistryAuth(login);
  const base::BackoffPolicy policy{.initial = absl::Seconds(1), .maximum = absl::Seconds(30)};
  const std::string context = absl::StrCat("push ", reference);
  for (int attempt = 1;; ++attempt) {
    absl::StatusOr<std::string> digest = TryPush(scope, reference, auth);
    if (digest.ok()) return digest;
    const absl::Status failed = base::Annotate(digest.status(), context);
    if (!absl::IsUnavailable(failed) || attempt == kAttempts) return failed;
    scope.output.Add(absl::StrCat(failed.message(), "; trying again"));
    if (!Pause(scope, base::ComputeJitteredDelay(policy, attempt, base::Random::Real()))) {
      return scope.limits.is_cancelled && scope.limits.is_cancelled()
                 ? absl::CancelledError(absl::StrCat(context, ": cancelled"))
                 : absl::DeadlineExceededError(absl::StrCat(
                       context,
                       ": no time for another attempt after: ", digest.status().message()));
    }
  }
}

}  // namespace fairlead::agent
