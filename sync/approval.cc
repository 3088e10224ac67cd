#include "sync/approval.h"

#include <string>

namespace fairlead::sync {
namespace {

bool IsRemoval(v1::StepAction action) {
  return action == v1::STEP_ACTION_PRUNE || action == v1::STEP_ACTION_DESTROY;
}

// START and STOP follow `state`; without a change of it they heal.
bool IsChange(const Facts& facts, const Decision& decision) {
  if (decision.heal || facts.target.held || facts.target.uses_good_spec) return false;
  switch (decision.action) {
    case v1::STEP_ACTION_CREATE:
    case v1::STEP_ACTION_REPLACE:
    case v1::STEP_ACTION_UPDATE:
    case v1::STEP_ACTION_ADOPT:
    case v1::STEP_ACTION_MOVE:
    case v1::STEP_ACTION_DESTROY:
    case v1::STEP_ACTION_PRUNE:
      return true;
    case v1::STEP_ACTION_START:
    case v1::STEP_ACTION_STOP:
      return facts.inventory != nullptr && facts.inventory->has_applied() &&
             facts.target.wish != nullptr &&
             facts.inventory->applied().state() != facts.target.wish->state();
    default:
      return false;
  }
}

bool AsksForApproval(const Facts& facts) {
  const std::string& origin =
      facts.desired != nullptr ? facts.desired->origin : facts.inventory->origin();
  const auto source = facts.input().desired->sources.find(origin);
  return source != facts.input().desired->sources.end() && source->second.approval;
}

// A grant is for what is to be there in the end: a move that becomes a create needs no second one.
bool IsGranted(const Facts& facts, const Decision& decision) {
  const auto approval = facts.input().approvals.find(facts.key);
  return approval != facts.input().approvals.end() &&
         approval->second.target_hash() == decision.target_hash &&
         IsRemoval(approval->second.action()) == IsRemoval(decision.action);
}

}  // namespace

bool WaitsForApproval(const Facts& facts, const Decision& decision) {
  if (facts.desired == nullptr && facts.inventory == nullptr) return false;
  return IsChange(facts, decision) && AsksForApproval(facts) && !IsGranted(facts, decision);
}

void GateOnApproval(Decision& decision) {
  if (decision.gate.kind() != v1::Gate::KIND_OPEN) return;
  decision.gate.set_kind(v1::Gate::KIND_APPROVAL);
  decision.gate.set_reason(
      "waits for approval: fairlead approve PLAN, with the id that "
      "`fairlead plan` shows");
  decision.condition = v1::CONDITION_BLOCKED;
}

v1::Approval ApprovalOf(const v1::Step& step) {
  v1::Approval approval;
  approval.set_resource(step.resource());
  approval.set_action(step.action());
  approval.set_target_hash(step.target_hash());
  approval.set_revision(step.revision());
  return approval;
}

}  // namespace fairlead::sync
