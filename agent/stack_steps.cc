// Steps of an update beside `compose up`: commands before and after it, builds, restarts.
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/engine_json.h"
#include "agent/host_command.h"
#include "agent/stack_update.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int kRestartSeconds = 10;
// Of the stack's folder: something was changed, and post_deploy has not ended well since.
constexpr char kPostDeployDue[] = "post-deploy-due";
constexpr char kRestartKeys[] = "restart-keys.json";

}  // namespace

bool StackUpdate::WillChange() const {
  return !touched_.empty() || !restarts_.empty() ||
         std::any_of(present_.begin(), present_.end(),
                     [this](const auto& service) { return IsGone(service.first); });
}

absl::Status StackUpdate::RunHook(const std::string& what, const v1::HostCommand& command) {
  HostCommandCall call{.what = what, .root = input_.run_directory};
  call.environment["DOCKER_HOST"] = compose_.engine();
  if (!login_folder_.variable().empty()) {
    call.environment["DOCKER_CONFIG"] = login_folder_.variable();
  }
  const absl::Status ran = RunHostCommandOnce(scope_, command, call);
  // It has run and failed: only a person can say whether it may run again.
  if (absl::IsFailedPrecondition(ran)) return absl::InvalidArgumentError(ran.message());
  return ran;
}

absl::Status StackUpdate::RunPreDeploy() {
  if (!WillChange()) return absl::OkStatus();
  if (!request_.pre_deploy().script().empty()) {
    RETURN_IF_ERROR(RunHook("pre_deploy", request_.pre_deploy()));
    RETURN_IF_ERROR(Survey());
    RETURN_IF_ERROR(Analyse());
    Decide();
  }
  if (request_.post_deploy().script().empty()) return absl::OkStatus();
  return base::WriteFileAtomically(folder_.PathOf(kPostDeployDue), scope_.action.id());
}

absl::Status StackUpdate::RunPostDeploy() {
  const std::string due = folder_.PathOf(kPostDeployDue);
  std::error_code error;
  if (!fs::exists(due, error)) return absl::OkStatus();
  RETURN_IF_ERROR(RunHook("post_deploy", request_.post_deploy()));
  fs::remove(due, error);
  return absl::OkStatus();
}

absl::Status StackUpdate::Build() {
  if (!request_.build()) return absl::OkStatus();
  std::vector<std::string> services;
  for (const ComposeService& service : services_) {
    if (IsTouched(service) && service.builds) services.push_back(service.name);
  }
  if (services.empty()) return absl::OkStatus();
  scope_.Report("building", absl::StrJoin(services, ", "));
  std::vector<std::string> arguments = {"build"};
  arguments.insert(arguments.end(), request_.build_extra_args().begin(),
                   request_.build_extra_args().end());
  arguments.insert(arguments.end(), services.begin(), services.end());
  return base::Annotate(compose_
                            .Run(scope_, {.project = request_.project(),
                                          .input = input_,
                                          .arguments = std::move(arguments),
                                          .phase = "building"})
                            .status(),
                        "build");
}

void StackUpdate::DecideRestarts() {
  restarts_.clear();
  if (request_.leave_stopped()) return;
  const std::map<std::string, std::string> known = ReadRestartKeys();
  std::set<std::string> restarted;
  for (const ComposeService& service : services_) {
    if (IsTouched(service)) continue;
    const auto before = known.find(service.name);
    // One that was not watched before runs with the file as it is, or was never asked to follow it.
    const bool differs = !service.restart_key.empty() && before != known.end() &&
                         before->second != service.restart_key;
    const bool follows =
        std::any_of(service.tied_to.begin(), service.tied_to.end(),
                    [&](const std::string& other) { return restarted.contains(other); });
    if (!differs && !follows) continue;
    restarted.insert(service.name);
    restarts_.push_back(service.name);
  }
}

absl::Status StackUpdate::RestartServices() {
  for (const std::string& service : restarts_) {
    for (const Present& present : present_[service]) {
      if (IsCompleted(present.container)) continue;
      scope_.Report("restarting", present.container.name());
      RETURN_IF_ERROR(
          scope_.engine.RestartContainer(present.container.id(), kRestartSeconds, scope_.limits),
          absl::StrCat("restart container ", present.container.name()));
    }
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> StackUpdate::ReadRestartKeys() const {
  std::map<std::string, std::string> keys;
  const absl::StatusOr<std::string> text = base::ReadFile(folder_.PathOf(kRestartKeys));
  if (!text.ok()) return keys;
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  if (error || !value.is_object()) return keys;
  for (const auto& entry : value.as_object()) {
    const std::string service(entry.key().data(), entry.key().size());
    keys[service] = TextAt(value.as_object(), {service});
  }
  return keys;
}

absl::Status StackUpdate::WriteRestartKeys() const {
  json::object keys;
  for (const ComposeService& service : services_) {
    if (!service.restart_key.empty()) keys[service.name] = service.restart_key;
  }
  const std::string path = folder_.PathOf(kRestartKeys);
  std::error_code error;
  if (keys.empty() && !fs::exists(path, error)) return absl::OkStatus();
  return base::WriteFileAtomically(path, std::string(json::serialize(keys)));
}

}  // namespace fairlead::agent
