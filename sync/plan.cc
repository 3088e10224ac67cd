#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "sync/plan_pass.h"
#include "sync/planner.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

absl::Status CheckInput(const PlanInput& input) {
  if (input.desired == nullptr) return absl::InvalidArgumentError("plan: no desired state");
  if (input.live == nullptr) return absl::InvalidArgumentError("plan: no live state");
  for (const auto& [resource, entry] : input.inventory) {
    if (entry == nullptr) return absl::InvalidArgumentError("plan: an inventory entry is null");
  }
  for (const auto& [server, host] : input.live->hosts) {
    if (host == nullptr) return absl::InvalidArgumentError("plan: a host is null");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ProcedureNeed::KeyOf(absl::string_view procedure_hash) const {
  return absl::StrCat(procedure_hash, " for ", dependent, " ", hash);
}

bool MakesContainers(v1::StepAction action) {
  return action == v1::STEP_ACTION_CREATE || action == v1::STEP_ACTION_REPLACE ||
         action == v1::STEP_ACTION_MOVE;
}

absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input) {
  if (const absl::Status status = CheckInput(input); !status.ok()) return status;
  PlanPass pass(input, PlanResult(), nullptr);
  pass.DecideAll();
  return pass.Finish();
}

absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input, PlanResult&& previous,
                                       const std::set<ResourceId>& dirty) {
  if (input.desired == nullptr || input.live == nullptr || previous.memo == nullptr ||
      previous.memo->installation != input.installation) {
    return ComputePlan(input);
  }
  const std::shared_ptr<const PlanMemo> known = previous.memo;
  PlanPass pass(input, std::move(previous), known.get());
  pass.DecideSome(dirty);
  return pass.Finish();
}

absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input, const PlanResult& previous,
                                       const std::set<ResourceId>& dirty) {
  return ComputePlan(input, PlanResult(previous), dirty);
}

std::set<ResourceId> ComputeConcerned(const DesiredState& desired, const Inventory& inventory,
                                      const std::string& server, const LiveChange& change) {
  std::set<ResourceId> concerned;
  for (const std::string& resource : change.resources) {
    const std::optional<ResourceId> id = ResourceId::Parse(resource);
    if (id.has_value()) concerned.insert(*id);
  }
  if (change.whole_host) {
    concerned.insert({"server", server});
    for (const auto& [resource, entry] : inventory) {
      if (entry->server() != server) continue;
      const std::optional<ResourceId> id = ResourceId::Parse(resource);
      if (id.has_value()) concerned.insert(*id);
    }
  }
  if (!change.whole_host && change.foreign_names.empty()) return concerned;
  const std::set<std::string> names(change.foreign_names.begin(), change.foreign_names.end());
  for (const auto& [id, resource] : desired.resources) {
    if (resource->server == server &&
        (change.whole_host || names.contains(resource->docker_name))) {
      concerned.insert(id);
    }
  }
  return concerned;
}

}  // namespace fairlead::sync
