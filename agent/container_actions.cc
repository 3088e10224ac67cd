#include "agent/container_actions.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "agent/probe_schedule.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

absl::StatusOr<std::vector<v1::Container>> Owned(const ActionScope& scope) {
  return ListOwned(scope.engine, scope.installation, scope.action.resource(), scope.records,
                   scope.limits);
}

// Those that are not kept by a replacement. NotFound when there is none.
absl::StatusOr<std::vector<v1::Container>> Present(const ActionScope& scope) {
  ASSIGN_OR_RETURN(std::vector<v1::Container> owned, Owned(scope));
  std::erase_if(owned, [](const v1::Container& container) { return IsOldName(container.name()); });
  if (owned.empty()) {
    return absl::NotFoundError(absl::StrCat(scope.action.resource(), " has no container"));
  }
  return owned;
}

}  // namespace

absl::Status StartContainers(ActionScope& scope) {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> containers, Present(scope));
  for (const v1::Container& container : containers) {
    scope.Report("starting", container.name());
    scope.outcome.set_container_id(container.id());
    const std::string context = absl::StrCat("start container ", container.name());
    if (container.state() == v1::CONTAINER_STATE_PAUSED) {
      RETURN_IF_ERROR(scope.engine.UnpauseContainer(container.id(), scope.limits), context);
    } else if (!IsUp(container)) {
      RETURN_IF_ERROR(scope.engine.StartContainer(container.id(), scope.limits), context);
    }
  }
  return absl::OkStatus();
}

absl::Status StopContainers(ActionScope& scope, const v1::StopContainers& request) {
  ASSIGN_OR_RETURN(std::vector<v1::Container> containers, Owned(scope));
  // Youngest first: what was started last depends on what was started before.
  for (auto at = containers.rbegin(); at != containers.rend(); ++at) {
    if (!IsUp(*at)) continue;
    scope.Report("stopping", at->name());
    RETURN_IF_ERROR(StopGently(scope.engine, scope.clock, at->id(), request.signal(),
                               request.timeout_seconds(), scope.limits),
                    absl::StrCat("stop container ", at->name()));
  }
  return absl::OkStatus();
}

absl::Status RestartContainers(ActionScope& scope, const v1::RestartContainers& request) {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> containers, Present(scope));
  const int timeout = request.timeout_seconds() > 0 ? request.timeout_seconds() : 10;
  for (const v1::Container& container : containers) {
    scope.Report("restarting", container.name());
    scope.outcome.set_container_id(container.id());
    const std::string context = absl::StrCat("restart container ", container.name());
    if (container.state() == v1::CONTAINER_STATE_PAUSED) {
      RETURN_IF_ERROR(scope.engine.UnpauseContainer(container.id(), scope.limits), context);
    }
    RETURN_IF_ERROR(scope.engine.RestartContainer(container.id(), timeout, scope.limits), context);
  }
  return absl::OkStatus();
}

absl::Status UpdateContainer(ActionScope& scope, const v1::UpdateContainer& request) {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> containers, Present(scope));
  for (const v1::Container& container : containers) {
    scope.Report("updating", container.name());
    scope.outcome.set_container_id(container.id());
    const absl::Status updated =
        scope.engine.UpdateRestartPolicy(container.id(), request.restart_policy(), scope.limits);
    if (absl::IsUnimplemented(updated)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "this engine cannot change the restart policy of container ", container.name(),
          "; remove the container, and it is made anew with the policy \"",
          request.restart_policy(), "\""));
    }
    RETURN_IF_ERROR(updated, absl::StrCat("update container ", container.name()));
  }
  return absl::OkStatus();
}

absl::Status RemoveContainers(ActionScope& scope, const v1::RemoveContainers& request) {
  ASSIGN_OR_RETURN(std::vector<v1::Container> containers, Owned(scope));
  if (request.ids_size() > 0) {
    const std::set<std::string> ids(request.ids().begin(), request.ids().end());
    std::erase_if(containers,
                  [&](const v1::Container& container) { return !ids.contains(container.id()); });
  }
  for (auto at = containers.rbegin(); at != containers.rend(); ++at) {
    const std::string context = absl::StrCat("remove container ", at->name());
    if (IsUp(*at)) {
      scope.Report("stopping", at->name());
      RETURN_IF_ERROR(StopGently(scope.engine, scope.clock, at->id(), request.signal(),
                                 request.timeout_seconds(), scope.limits),
                      context);
    }
    scope.Report("removing", at->name());
    RETURN_IF_ERROR(RemoveOwned(scope.engine, scope.records, at->id(), scope.limits), context);
  }
  return absl::OkStatus();
}

absl::Status AdoptContainer(ActionScope& scope, const v1::AdoptContainer& request) {
  const std::string& name = request.spec().name();
  ASSIGN_OR_RETURN(const std::optional<v1::Container> found,
                   FindByName(scope.engine, name, scope.limits));
  if (!found) return absl::NotFoundError(absl::StrCat("there is no container ", name));
  scope.outcome.set_container_id(found->id());
  if (!found->installation().empty() && (found->installation() != scope.installation ||
                                         found->resource() != scope.action.resource())) {
    return absl::FailedPreconditionError(absl::StrCat("container ", name, " belongs to ",
                                                      found->resource(), " of installation ",
                                                      found->installation()));
  }
  const std::optional<ContainerRecord> record = scope.records.Find(found->id());
  if (record && record->adopted && record->resource != scope.action.resource()) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", name, " is adopted for ", record->resource));
  }
  if (!IsUp(*found)) {
    return absl::FailedPreconditionError(absl::StrCat("container ", name, " does not run"));
  }
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   scope.engine.InspectContainer(found->id(), scope.limits));
  const std::vector<std::string> differences = ComputeDifferences(request.spec(), inspect);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "container ", name, " differs from its declaration: ", absl::StrJoin(differences, "; ")));
  }
  return RecordAdopted(scope, found->id(), ProbeText(request.spec().healthcheck()));
}

}  // namespace fairlead::agent
