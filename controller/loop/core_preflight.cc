// The look ahead at groups of steps, before any of them starts.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "controller/loop/core.h"
#include "controller/loop/preflight_groups.h"
#include "controller/loop/step_action.h"

namespace fairlead::loop {
namespace {

void SetPreflightGate(v1::Step& step, std::string reason, const std::string& on) {
  v1::Gate& gate = *step.mutable_gate();
  gate.Clear();
  gate.set_kind(v1::Gate::KIND_PREFLIGHT);
  gate.set_reason(std::move(reason));
  gate.add_on(on);
}

// Compose makes the networks and volumes of its project, which others may use.
bool IsStack(const v1::Step& step) { return absl::StartsWith(step.resource(), "stack/"); }

bool IsOpen(const v1::Gate& gate) {
  return gate.kind() == v1::Gate::KIND_OPEN || gate.kind() == v1::Gate::KIND_HOST_LIMIT;
}

}  // namespace

bool Core::HoldForPreflight(absl::Time now, Load& load, CoreOutput& output) {
  // Those that an earlier pass set are judged anew.
  for (v1::Step& step : *result_.plan.mutable_steps()) {
    const bool by_core = step.gate().kind() == v1::Gate::KIND_PREFLIGHT &&
                         !input_.preflight_holds.contains(step.resource());
    if (by_core) step.mutable_gate()->Clear();
  }
  const std::vector<std::vector<int>> groups = ComputePreflightGroups(input_, result_);
  std::map<std::string, sync::PreflightHold> holds;
  for (const std::vector<int>& group : groups) {
    const v1::Step* const obstacle = CheckGroup(group, now, load, output);
    if (obstacle == nullptr) continue;
    const bool has_failed = HasFailedPreflight(input_, *obstacle);
    for (const int index : group) {
      v1::Step& step = *result_.plan.mutable_steps(index);
      if (&step == obstacle) continue;
      if (has_failed) {
        holds[step.resource()] = {
            obstacle->resource(),
            absl::StrCat("waits for ", obstacle->resource(), ", which belongs to the same change: ",
                         input_.failed_attempts.at(obstacle->resource()).message)};
      }
      if (IsOpen(step.gate())) {
        SetPreflightGate(step, absl::StrCat("waits for the pre-flight of ", obstacle->resource()),
                         obstacle->resource());
      }
    }
  }
  // An obstacle that is healed meanwhile is one still.
  for (const auto& [resource, hold] : input_.preflight_holds) {
    const auto id = resources::ResourceId::Parse(hold.on);
    const auto decision = result_.decisions.find(*id);
    const bool heals = decision != result_.decisions.end() && decision->second->stands_in;
    if (heals) holds.emplace(resource, hold);
  }
  return SetPreflightHolds(std::move(holds));
}

bool Core::SetPreflightHolds(std::map<std::string, sync::PreflightHold> holds) {
  if (input_.preflight_holds == holds) return false;
  std::swap(input_.preflight_holds, holds);
  for (const auto& [resource, hold] : holds) {
    const auto now = input_.preflight_holds.find(resource);
    if (now == input_.preflight_holds.end() || now->second != hold) MarkDirty(resource);
  }
  for (const auto& [resource, hold] : input_.preflight_holds) {
    if (!holds.contains(resource)) MarkDirty(resource);
  }
  return true;
}

const v1::Step* Core::CheckGroup(const std::vector<int>& group, absl::Time now, Load& load,
                                 CoreOutput& output) {
  for (const int index : group) {
    const v1::Step& step = result_.plan.steps(index);
    // Nothing of the others is looked at again while one is known not to work.
    if (HasFailedPreflight(input_, step)) return &step;
  }
  const v1::Step* waits = nullptr;
  for (const int index : group) {
    const v1::Step& step = result_.plan.steps(index);
    const auto known = checked_.find(step.resource());
    if (known != checked_.end() && known->second == step.target_hash()) continue;
    waits = &step;
    if (input_.busy.contains(step.resource()) || !HasRoom(load, step.server())) continue;
    const bool networks_may_come = std::any_of(group.begin(), group.end(), [&](int other) {
      const v1::Step& made = result_.plan.steps(other);
      return other != index && made.server() == step.server() && IsStack(made);
    });
    if (StartCheck(step, networks_may_come, now, output)) ++load[step.server()];
  }
  return waits;
}

bool Core::StartCheck(const v1::Step& step, bool networks_may_come, absl::Time now,
                      CoreOutput& output) {
  const auto id = resources::ResourceId::Parse(step.resource());
  const auto decision = result_.decisions.find(*id);
  absl::StatusOr<StepAction> computed =
      WithLogins(ComputeCheckAction(input_, step, *decision->second, networks_may_come));
  if (!computed.ok()) {
    v1::Step check = step;
    check.set_action(v1::STEP_ACTION_CHECK);
    NoteFailedStep(check, computed.status(), now);
    never_sent_.insert(step.resource());
    return false;
  }
  v1::ActionRecord record;
  *record.mutable_action() = std::move(computed->action);
  record.set_server(computed->server);
  record.set_step(v1::STEP_ACTION_CHECK);
  record.set_revision(step.revision());
  record.set_sync(step.sync());
  Send(std::move(record), now, output);
  return true;
}

}  // namespace fairlead::loop
