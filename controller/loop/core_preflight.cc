// The look ahead at groups of steps, before any of them starts.
#include <string>
#include <utility>
#include <vector>

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

// By the core, not by the planner: judged anew in every pass.
bool IsOpen(const v1::Gate& gate) {
  return gate.kind() == v1::Gate::KIND_OPEN || gate.kind() == v1::Gate::KIND_HOST_LIMIT ||
         gate.kind() == v1::Gate::KIND_PREFLIGHT;
}

}  // namespace

void Core::HoldForPreflight(absl::Time now, Load& load, CoreOutput& output) {
  for (v1::Step& step : *result_.plan.mutable_steps()) {
    if (step.gate().kind() == v1::Gate::KIND_PREFLIGHT) step.mutable_gate()->Clear();
  }
  for (const std::vector<int>& group : ComputePreflightGroups(input_, result_)) {
    const v1::Step* const obstacle = CheckGroup(group, now, load, output);
    if (obstacle == nullptr) continue;
    const auto failed = input_.failed_attempts.find(obstacle->resource());
    const bool has_failed = HasFailedPreflight(input_, *obstacle);
    for (const int index : group) {
      v1::Step& step = *result_.plan.mutable_steps(index);
      if (&step == obstacle || !IsOpen(step.gate())) continue;
      SetPreflightGate(
          step,
          has_failed ? absl::StrCat("waits for ", obstacle->resource(),
                                    ", which belongs to the same change: ", failed->second.message)
                     : absl::StrCat("waits for the pre-flight of ", obstacle->resource()),
          obstacle->resource());
    }
  }
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
    if (StartCheck(step, now, output)) ++load[step.server()];
  }
  return waits;
}

bool Core::StartCheck(const v1::Step& step, absl::Time now, CoreOutput& output) {
  const auto id = resources::ResourceId::Parse(step.resource());
  const auto decision = result_.decisions.find(*id);
  absl::StatusOr<StepAction> computed = ComputeCheckAction(input_, step, *decision->second);
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
