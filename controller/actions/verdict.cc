#include "controller/actions/verdict.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::actions {
namespace {

using resources::ResourceId;
using State = Verdict::State;

Verdict Waiting(std::string message) { return {State::kWaiting, std::move(message)}; }
Verdict Failed(std::string message) { return {State::kFailed, std::move(message)}; }
Verdict Done() { return {State::kDone, ""}; }

const sync::DesiredResource* FindDesired(const loop::LoopView& view, const ResourceId& id) {
  const auto found = view.input.desired->resources.find(id);
  return found == view.input.desired->resources.end() ? nullptr : found->second.get();
}

const sync::Decision* FindDecision(const loop::LoopView& view, const ResourceId& id) {
  const auto found = view.result.decisions.find(id);
  return found == view.result.decisions.end() ? nullptr : found->second.get();
}

const v1::Hold* FindHold(const loop::LoopView& view, const ResourceId& id) {
  const auto found = view.input.holds.find(id.ToString());
  return found == view.input.holds.end() ? nullptr : &found->second;
}

const v1::FailedSpec* FindFailure(const loop::LoopView& view, const ResourceId& id,
                                  const std::string& hash) {
  const auto specs = view.input.failed_specs.find(id.ToString());
  if (specs == view.input.failed_specs.end()) return nullptr;
  const auto failed = specs->second.find(hash);
  return failed == specs->second.end() ? nullptr : &failed->second;
}

std::string FirstError(const sync::DesiredResource& desired) {
  for (const v1::Problem& problem : desired.problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    return absl::StrCat("its declaration is invalid: ", problem.file(), ":", problem.line(), ":",
                        problem.column(), " ", problem.message());
  }
  return "its declaration is invalid";
}

std::string HeldBy(const v1::Hold& hold) {
  return absl::StrCat("held stopped by ", hold.who(), hold.why().empty() ? "" : ": ", hold.why());
}

// Time alone does not help. A server that is only offline is another condition.
bool IsFinal(v1::Gate::Kind kind) {
  return kind == v1::Gate::KIND_SERVER || kind == v1::Gate::KIND_NAME_TAKEN ||
         kind == v1::Gate::KIND_RESOURCE || kind == v1::Gate::KIND_FAILED ||
         kind == v1::Gate::KIND_GUARD;
}

bool IsBusy(const loop::LoopView& view, const ResourceId& id, const sync::Decision& decision) {
  return decision.open_step || view.input.busy.contains(id.ToString());
}

Verdict JudgeCondition(const sync::Decision& decision) {
  switch (decision.condition) {
    case v1::CONDITION_DEGRADED:
    case v1::CONDITION_CRASH_LOOP:
    case v1::CONDITION_INVALID:
    case v1::CONDITION_OBSERVED:
    case v1::CONDITION_NOT_ACTED_ON:
      return Failed(decision.reason);
    case v1::CONDITION_BLOCKED:
      return IsFinal(decision.gate.kind()) ? Failed(decision.reason) : Waiting(decision.reason);
    default:
      return Waiting(decision.reason);
  }
}

}  // namespace

bool IsRun(const std::string& who) {
  return absl::StartsWith(who, "procedure/") || absl::StartsWith(who, "resource_sync/") ||
         absl::StartsWith(who, "build/") || absl::StartsWith(who, "repo/");
}

Verdict JudgeDeclared(const loop::LoopView& view, const ResourceId& id) {
  const sync::DesiredResource* const desired = FindDesired(view, id);
  if (desired == nullptr) {
    return view.input.desired->complete
               ? Failed(absl::StrCat(id.ToString(), " is declared nowhere"))
               : Waiting("waits until all sources are read: it is not declared so far");
  }
  if (desired->invalid || desired->resolved == nullptr) return Failed(FirstError(*desired));
  if (id.kind == "server" && !desired->resolved->server().enabled()) {
    return Failed(absl::StrCat("server ", id.name, " is disabled"));
  }
  return Waiting("");
}

Verdict JudgeBeforehand(const loop::LoopView& view, const ResourceId& id) {
  const sync::DesiredResource* const desired = FindDesired(view, id);
  if (desired == nullptr) {
    return view.input.desired->complete
               ? Failed("declared nowhere")
               : Waiting("waits until all sources are read: it is not declared so far");
  }
  const v1::Hold* const hold = FindHold(view, id);
  if (hold != nullptr && !IsRun(hold->who())) {
    return Failed(absl::StrCat(HeldBy(*hold), "; to end that: fairlead release ", id.ToString()));
  }
  const v1::FailedSpec* const failure = FindFailure(view, id, desired->spec_hash);
  if (failure != nullptr && !failure->by().empty()) {
    return Failed(absl::StrCat("the declared spec is put aside: ", failure->reason(),
                               "; to take it up again: fairlead retry ", id.ToString()));
  }
  return Waiting("");
}

Verdict JudgeDeployed(const loop::LoopView& view, const ResourceId& id) {
  const sync::DesiredResource* const desired = FindDesired(view, id);
  if (desired == nullptr) return Failed("not declared any more");
  if (desired->invalid || desired->spec == nullptr) return Failed(FirstError(*desired));
  const std::string resource = id.ToString();
  if (const v1::FailedSpec* failure = FindFailure(view, id, desired->spec_hash)) {
    return Failed(failure->reason());
  }
  const auto attempt = view.input.failed_attempts.find(resource);
  if (attempt != view.input.failed_attempts.end()) return Failed(attempt->second.message);
  const sync::Decision* const decision = FindDecision(view, id);
  if (decision == nullptr) return Waiting("not looked at yet");
  if (IsBusy(view, id, *decision)) return Waiting(decision->reason);
  const bool is_declared = !decision->uses_good_spec && !decision->has_step();
  if (is_declared && decision->satisfied && decision->condition != v1::CONDITION_OBSERVED) {
    return Done();
  }
  if (decision->condition == v1::CONDITION_STOPPED) {
    if (const v1::Hold* hold = FindHold(view, id)) return Failed(HeldBy(*hold));
    return is_declared ? Done() : Waiting(decision->reason);
  }
  if (is_declared && desired->spec->state() == v1::WANTED_STATE_ABSENT) return Done();
  return JudgeCondition(*decision);
}

Verdict JudgeRestarted(const loop::LoopView& view, const ResourceId& id) {
  const sync::Decision* const decision = FindDecision(view, id);
  if (decision == nullptr) return Done();
  if (view.input.busy.contains(id.ToString())) return Waiting(decision->reason);
  if (decision->satisfied || decision->condition == v1::CONDITION_OBSERVED) return Done();
  // A change that is under way for another reason is not this restart's to wait for.
  if (decision->condition == v1::CONDITION_BLOCKED) return Done();
  if (decision->open_step) return Waiting(decision->reason);
  return JudgeCondition(*decision);
}

Verdict JudgeStopped(const loop::LoopView& view, const ResourceId& id) {
  const sync::Decision* const decision = FindDecision(view, id);
  if (decision == nullptr) return Done();
  if (FindHold(view, id) == nullptr) return Failed("its hold was ended by somebody else");
  if (view.input.busy.contains(id.ToString())) return Waiting(decision->reason);
  if (decision->condition == v1::CONDITION_OBSERVED) return Failed(decision->reason);
  if (decision->condition == v1::CONDITION_UNKNOWN) return Waiting(decision->reason);
  // A failed or unreadable declaration is shown as a block where nothing is left to do.
  const v1::Gate::Kind gate = decision->gate.kind();
  const bool is_shown = decision->action == v1::STEP_ACTION_BLOCKED &&
                        (gate == v1::Gate::KIND_FAILED || gate == v1::Gate::KIND_RESOURCE);
  if (!decision->open_step && (!decision->has_step() || is_shown)) return Done();
  if (decision->condition == v1::CONDITION_BLOCKED && IsFinal(gate)) {
    return Failed(decision->reason);
  }
  const auto attempt = view.input.failed_attempts.find(id.ToString());
  if (attempt != view.input.failed_attempts.end()) return Failed(attempt->second.message);
  return Waiting(decision->reason);
}

Verdict JudgeSynced(const loop::LoopView& view, const std::string& sync,
                    const std::string& revision) {
  const std::string origin = absl::StrCat("resource_sync/", sync);
  const auto source = view.input.desired->sources.find(origin);
  if (source == view.input.desired->sources.end() || source->second.revision != revision) {
    return Waiting(absl::StrCat("waits for revision ", revision.substr(0, 7)));
  }
  for (const v1::Problem& problem : source->second.problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    return Failed(absl::StrCat(problem.file(), ":", problem.line(), ":", problem.column(), " ",
                               problem.message()));
  }
  Verdict verdict = Done();
  for (const auto& [id, desired] : view.input.desired->resources) {
    const sync::Decision* const decision = FindDecision(view, id);
    if (desired->origin != origin || decision == nullptr) continue;
    if (sync::IsWell(decision->condition) && !IsBusy(view, id, *decision)) continue;
    // What waits for a person is not what a run waits for.
    if (decision->gate.kind() == v1::Gate::KIND_APPROVAL) continue;
    Verdict one = JudgeDeployed(view, id);
    if (one.state == State::kDone) continue;
    one.message = absl::StrCat(id.ToString(), ": ", one.message);
    if (one.state == State::kFailed) return one;
    verdict = std::move(one);
  }
  return verdict;
}

}  // namespace fairlead::actions
