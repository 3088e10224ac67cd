#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "sync/classify.h"
#include "sync/facts.h"
#include "sync/plan_pass.h"
#include "sync/planner.h"
#include "sync/prune_guard.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

std::string ShortText(const v1::Resource& spec) {
  if (spec.has_deployment()) return spec.deployment().image().image().image();
  if (spec.has_stack()) {
    return spec.stack().file_paths().empty() ? "" : spec.stack().file_paths(0);
  }
  return "";
}

// What happens next by itself, or what a person can do.
std::string NextText(const Decision& decision, const std::string& key) {
  switch (decision.gate.kind()) {
    case v1::Gate::KIND_FAILED:
      return absl::StrCat("tried again on a new spec or: fairlead retry ", key);
    case v1::Gate::KIND_BACKOFF:
      return absl::StrCat("next attempt at ",
                          absl::FormatTime(absl::RFC3339_sec, FromProto(decision.gate.until()),
                                           absl::UTCTimeZone()));
    case v1::Gate::KIND_HOLD:
      return absl::StrCat("waits for: fairlead release ", key);
    case v1::Gate::KIND_OPEN:
      break;
    default:
      return decision.gate.reason();
  }
  switch (decision.condition) {
    case v1::CONDITION_INVALID:
      return "fix the declaration; what runs is kept";
    case v1::CONDITION_ORPHANED:
      return "declare it again, or remove it by hand";
    default:
      return "";
  }
}

void FillContainers(const Facts& facts, v1::ResourceStatus& status) {
  for (const Presence::Place& place : facts.presence.places) {
    for (const v1::Container* container : place.owned->containers) {
      status.add_containers(container->name());
    }
  }
  std::sort(status.mutable_containers()->begin(), status.mutable_containers()->end());
  const v1::Container* first = facts.pair.members.empty() ? nullptr : facts.pair.members.front();
  if (facts.shape == Shape::kContainer && first != nullptr) status.set_running(first->image());
  const v1::Container* worst = facts.vitals.worst();
  if (facts.target.failure != nullptr && !facts.target.failure->log_tail().empty()) {
    status.set_log_tail(facts.target.failure->log_tail());
  } else if (worst != nullptr) {
    status.set_log_tail(worst->log_tail());
  }
}

void FillDeclaration(const Facts& facts, v1::ResourceStatus& status) {
  if (facts.inventory != nullptr) {
    status.set_origin(facts.inventory->origin());
    if (facts.shape == Shape::kProject && facts.inventory->has_applied()) {
      status.set_running(ShortText(facts.inventory->applied()));
    }
  }
  if (facts.desired == nullptr) return;
  const DesiredResource& desired = *facts.desired;
  status.set_origin(desired.origin);
  status.set_wanted_hash(desired.spec_hash);
  status.set_file(desired.position.file);
  status.set_line(desired.position.line);
  if (desired.spec != nullptr) status.set_wanted(ShortText(*desired.spec));
  for (const v1::Problem& problem : desired.problems) *status.add_problems() = problem;
}

}  // namespace

bool IsWell(v1::Condition condition) {
  switch (condition) {
    case v1::CONDITION_CONVERGED:
    case v1::CONDITION_COMPLETED:
    case v1::CONDITION_STOPPED:
    case v1::CONDITION_READY:
    case v1::CONDITION_OBSERVED:
    case v1::CONDITION_NOT_ACTED_ON:
      return true;
    default:
      return false;
  }
}

v1::ResourceStatus ComputeStatus(const PlanInput& input, const PlanResult& plan,
                                 const ResourceId& id) {
  v1::ResourceStatus status;
  status.set_resource(id.ToString());
  const auto found = plan.decisions.find(id);
  if (found == plan.decisions.end()) return status;
  const Decision& decision = *found->second;
  status.set_condition(decision.condition);
  status.set_reason(decision.gate.kind() == v1::Gate::KIND_OPEN || decision.gate.reason().empty()
                        ? decision.reason
                        : decision.gate.reason());
  status.set_server(decision.server);
  status.set_live_hash(decision.live_hash);
  status.set_unverified(decision.unverified);
  status.set_next(NextText(decision, status.resource()));

  const auto desired = input.desired->resources.find(id);
  const auto owned = input.inventory.find(status.resource());
  const v1::InventoryEntry* entry = owned == input.inventory.end() ? nullptr : owned->second.get();
  PlanContext context(input, plan.memo == nullptr
                                 ? IndexHosts(*input.live, input.installation, nullptr)
                                 : plan.memo->hosts);
  const auto facts = GatherFacts(
      context, id, desired == input.desired->resources.end() ? nullptr : desired->second.get(),
      entry);
  if (facts == nullptr) return status;
  status.set_revision(RevisionOf(input, facts->desired, entry));
  FillDeclaration(*facts, status);
  FillContainers(*facts, status);
  if (entry != nullptr && entry->condition() == decision.condition &&
      entry->has_condition_since()) {
    *status.mutable_since() = entry->condition_since();
  } else if (entry != nullptr) {
    *status.mutable_since() = ToProto(input.now);
  }
  if (const auto build = input.builds.find(status.resource()); build != input.builds.end()) {
    status.set_running(build->second.image());
    *status.mutable_since() = build->second.built_at();
  } else if (const auto repo = input.repos.find(status.resource()); repo != input.repos.end()) {
    status.set_running(repo->second.commit());
    *status.mutable_since() = repo->second.at();
  }
  if (facts->hold != nullptr) *status.mutable_hold() = *facts->hold;
  const auto step = plan.step_index.find(id);
  if (step != plan.step_index.end()) *status.mutable_step() = plan.plan.steps(step->second);
  return status;
}

}  // namespace fairlead::sync
