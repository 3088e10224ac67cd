#include "agent/compose_runtime.h"

#include <optional>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/compose_command.h"
#include "agent/compose_jobs.h"
#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "agent/stack_folder.h"
#include "agent/stack_update.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

// What `down` left or could not be asked for: containers and networks by label.
absl::Status RemoveByLabel(ActionScope& scope, const std::string& project, bool is_ours) {
  const std::string label = absl::StrCat(kComposeProjectLabel, "=", project);
  ASSIGN_OR_RETURN(const boost::json::array listed,
                   scope.engine.ListContainers({.labels = {label}}, scope.limits));
  bool found_ours = is_ours;
  for (const boost::json::value& element : listed) {
    if (!element.is_object()) continue;
    const v1::Container container = ToBriefContainer(element.as_object());
    const bool labelled = container.installation() == scope.installation &&
                          container.resource() == scope.action.resource();
    if (!labelled && !is_ours) continue;
    found_ours = true;
    scope.Report("removing", container.name());
    RETURN_IF_ERROR(StopGently(scope.engine, scope.clock, container.id(), "", 0, scope.limits));
    RETURN_IF_ERROR(RemoveOwned(scope.engine, scope.records, container.id(), scope.limits));
  }
  if (!found_ours) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> networks,
                   scope.engine.ListNetworks({label}, scope.limits));
  for (const std::string& network : networks) {
    const absl::Status removed = scope.engine.RemoveNetwork(network, scope.limits);
    if (removed.ok() || absl::IsNotFound(removed)) continue;
    scope.Warn(absl::StrCat("network ", network, " stays: ", removed.message()));
  }
  return absl::OkStatus();
}

}  // namespace

ComposeRuntime::ComposeRuntime(std::string data_directory, std::string engine)
    : data_directory_(std::move(data_directory)), engine_(std::move(engine)) {}

absl::StatusOr<ComposeCommand> ComposeRuntime::Compose(const ActionScope& scope) const {
  {
    base::MutexLock lock(mutex_);
    if (compose_) return *compose_;
  }
  ASSIGN_OR_RETURN(ComposeCommand found, ComposeCommand::Find(engine_, scope.limits, scope.clock));
  base::MutexLock lock(mutex_);
  compose_ = found;
  return found;
}

absl::Status ComposeRuntime::Apply(ActionScope& scope, const v1::ApplyStack& request) const {
  RETURN_IF_ERROR(CheckProjectName(request.project()));
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  const StackFolder folder(data_directory_, request.project());
  return StackUpdate(scope, request, compose, folder).Run();
}

absl::Status ComposeRuntime::Check(ActionScope& scope, const v1::CheckStack& request) const {
  const v1::ApplyStack& stack = request.stack();
  RETURN_IF_ERROR(CheckProjectName(stack.project()));
  // Its environment would have to be written among the files of somebody else: what it needs is
  // looked at when it is applied.
  if (!stack.host_directory().empty() && !stack.environment().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  const StackFolder folder(data_directory_, stack.project());
  const StackFolder scratch(absl::StrCat(data_directory_, "/checks"), stack.project());
  const absl::Status checked =
      StackUpdate(scope, stack, compose, folder).Check(scratch, request.networks_may_come());
  const absl::Status cleared = scratch.Clear();
  return checked.ok() ? cleared : checked;
}

absl::Status ComposeRuntime::Adopt(ActionScope& scope, const v1::AdoptStack& request) const {
  RETURN_IF_ERROR(CheckProjectName(request.stack().project()));
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  const StackFolder folder(data_directory_, request.stack().project());
  return StackUpdate(scope, request.stack(), compose, folder).Adopt();
}

absl::Status ComposeRuntime::Pull(ActionScope& scope, const v1::PullImages& request) const {
  RETURN_IF_ERROR(CheckProjectName(request.stack().project()));
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  const StackFolder folder(data_directory_, request.stack().project());
  return PullStack(scope, request, compose, folder);
}

absl::Status ComposeRuntime::RunOne(ActionScope& scope, const v1::RunService& request) const {
  RETURN_IF_ERROR(CheckProjectName(request.stack().project()));
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  const StackFolder folder(data_directory_, request.stack().project());
  return RunService(scope, request, compose, folder);
}

absl::Status ComposeRuntime::Remove(ActionScope& scope, const v1::RemoveStack& request) const {
  RETURN_IF_ERROR(CheckProjectName(request.project()));
  const StackFolder folder(data_directory_, request.project());
  const absl::StatusOr<v1::Project> record = folder.ReadRecord();
  if (record.ok() && record->resource() != scope.action.resource()) {
    return absl::FailedPreconditionError(
        absl::StrCat("compose project ", request.project(), " belongs to ", record->resource()));
  }
  const absl::Status down = Down(scope, request.project(), folder);
  if (absl::IsCancelled(down) || absl::IsDeadlineExceeded(down)) return down;
  RETURN_IF_ERROR(RemoveByLabel(scope, request.project(), record.ok()));
  return folder.Clear();
}

absl::Status ComposeRuntime::Down(ActionScope& scope, const std::string& project,
                                  const StackFolder& folder) const {
  // Only a project that was applied here completely is ours as a whole.
  RETURN_IF_ERROR(folder.ReadRecord().status());
  ASSIGN_OR_RETURN(const StackInput written, folder.Read());
  ASSIGN_OR_RETURN(const ComposeCommand compose, Compose(scope));
  ASSIGN_OR_RETURN(const StackInput input, compose.Prepare(written, folder));
  scope.Report("removing", project);
  return compose
      .Run(scope, {.project = project,
                   .input = input,
                   .arguments = {"down", "--remove-orphans"},
                   .phase = "removing"})
      .status();
}

}  // namespace fairlead::agent
