#include "sync/gates.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/backoff.h"
#include "resources/container_spec.h"
#include "resources/interpolation.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

void SetGate(Decision& decision, v1::Gate::Kind kind, std::string reason) {
  decision.gate.Clear();
  decision.gate.set_kind(kind);
  decision.gate.set_reason(std::move(reason));
}

bool IsActing(v1::StepAction action) {
  return action != v1::STEP_ACTION_NONE && action != v1::STEP_ACTION_WAIT &&
         action != v1::STEP_ACTION_BLOCKED;
}

void GateOnFailedAttempt(const Facts& facts, Decision& decision) {
  const FailedAttempt* attempt = facts.attempt;
  if (attempt == nullptr) return;
  if (attempt->target_hash != decision.target_hash) {
    const bool waits = decision.uses_good_spec && IsForward(decision.action) &&
                       base::IsWaiting(attempt->stand_in_not_before, facts.input().now);
    if (waits) {
      SetUntil(decision, v1::Gate::KIND_BACKOFF, attempt->stand_in_not_before,
               "what was applied last could not be brought back either");
    }
    return;
  }
  const bool concerns = attempt->action == decision.action ||
                        (IsForward(attempt->action) && IsForward(decision.action));
  if (!concerns || !base::IsWaiting(attempt->not_before, facts.input().now)) return;
  static const std::vector<std::string>* const kNoSecrets = new std::vector<std::string>();
  std::string message = resources::RedactText(
      attempt->message, facts.desired == nullptr ? *kNoSecrets : facts.desired->secrets);
  decision.condition = v1::CONDITION_DEGRADED;
  decision.degraded = true;
  decision.gate.Clear();
  SetUntil(decision,
           attempt->not_before == absl::InfiniteFuture() ? v1::Gate::KIND_FAILED
                                                         : v1::Gate::KIND_BACKOFF,
           attempt->not_before, std::move(message));
}

// One of the steps that belong together cannot be made: what runs stays as it is.
void GateOnPreflight(const Facts& facts, Decision& decision) {
  const auto hold = facts.input().preflight_holds.find(facts.key);
  const bool is_held = hold != facts.input().preflight_holds.end() && !decision.heal;
  if (!is_held || !MakesContainers(decision.action)) return;
  SetGate(decision, v1::Gate::KIND_PREFLIGHT, hold->second.reason);
  decision.gate.add_on(hold->second.on);
  decision.condition = v1::CONDITION_BLOCKED;
}

// A dependency as the gate sees it; empty: nothing to wait for.
std::string ObstacleOf(const ResourceId& id, const Decision* dependency, bool heal) {
  if (dependency == nullptr) return absl::StrCat(id.ToString(), ", which is not known");
  if (heal) {
    return dependency->open_step ? absl::StrCat(id.ToString(), ", which has an open step") : "";
  }
  if (dependency->satisfied && !dependency->degraded) return "";
  if (!dependency->reason.empty()) return absl::StrCat(id.ToString(), ": ", dependency->reason);
  return absl::StrCat(id.ToString(), dependency->satisfied ? ": degraded" : ": not ready");
}

// Whether a run of the procedure has succeeded, as it is declared, for the spec that is wanted.
struct ProcedureState {
  std::string obstacle;
  // It is to be run.
  bool needed = false;
};
ProcedureState StateOf(const Facts& facts, const ResourceId& id) {
  const PlanInput& input = facts.input();
  const std::string key = id.ToString();
  const auto declared = input.desired->resources.find(id);
  if (declared == input.desired->resources.end()) {
    return {absl::StrCat(key, ", which is not known")};
  }
  const DesiredResource& procedure = *declared->second;
  if (procedure.invalid) return {absl::StrCat(key, ", which is invalid")};
  const ProcedureNeed need{facts.key, std::string(facts.target.hash)};
  const auto record = input.procedures.find(key);
  if (record != input.procedures.end() && record->second.spec_hash() == procedure.spec_hash) {
    const auto& hashes = record->second.dependent_hash();
    const auto ran_for = hashes.find(need.dependent);
    if (ran_for != hashes.end() && ran_for->second == need.hash) return {};
  }
  const auto failed = input.failed_specs.find(key);
  if (failed != input.failed_specs.end()) {
    const auto failure = failed->second.find(need.KeyOf(procedure.spec_hash));
    if (failure != failed->second.end()) {
      return {absl::StrCat(key, ": ", failure->second.reason(), "; to try again: fairlead retry ",
                           key)};
    }
  }
  return {absl::StrCat(key, ": it runs first"), true};
}

// The image that a container is to be made of does not exist so far.
bool GateOnBuild(const Facts& facts, const DecisionOf& decision_of, Decision& decision) {
  const DesiredResource& desired = *facts.desired;
  if (desired.waits_for.empty() || !MakesContainers(decision.action)) return false;
  const std::optional<ResourceId> id = ResourceId::Parse(desired.image_build);
  const Decision* build = id.has_value() ? decision_of(*id) : nullptr;
  const bool says_why = build != nullptr && !build->satisfied && !build->reason.empty();
  SetGate(decision, desired.waits_for_ever ? v1::Gate::KIND_RESOURCE : v1::Gate::KIND_AFTER,
          absl::StrCat("waits for ", desired.image_build, ": ",
                       says_why ? build->reason : desired.waits_for));
  decision.gate.add_on(desired.image_build);
  decision.condition = v1::CONDITION_BLOCKED;
  return true;
}

void GateOnDependencies(const Facts& facts, const DecisionOf& decision_of, Decision& decision,
                        std::map<ResourceId, std::string>& procedure_needs) {
  // A spec that stands in was applied before, and its own dependencies are not known.
  if (facts.desired == nullptr || facts.target.uses_good_spec) return;
  if (!decision.heal && !facts.desired->missing_after.empty()) {
    SetGate(decision, v1::Gate::KIND_RESOURCE,
            absl::StrCat("waits for ", absl::StrJoin(facts.desired->missing_after, ", "),
                         ", declared nowhere"));
    for (const std::string& name : facts.desired->missing_after) decision.gate.add_on(name);
    decision.condition = v1::CONDITION_BLOCKED;
    return;
  }
  if (GateOnBuild(facts, decision_of, decision)) return;
  std::vector<std::string> obstacles;
  std::vector<std::string> names;
  std::vector<ResourceId> needed;
  for (const ResourceId& id : facts.desired->after) {
    std::string obstacle;
    if (id.kind != "procedure") {
      obstacle = ObstacleOf(id, decision_of(id), decision.heal);
    } else if (!decision.heal) {
      ProcedureState state = StateOf(facts, id);
      obstacle = std::move(state.obstacle);
      if (state.needed) needed.push_back(id);
    }
    if (obstacle.empty()) continue;
    obstacles.push_back(std::move(obstacle));
    names.push_back(id.ToString());
  }
  if (obstacles.empty()) return;
  // What it needs itself is there by then.
  if (needed.size() == obstacles.size()) {
    for (const ResourceId& id : needed) procedure_needs.emplace(id, facts.key);
  }
  std::string reason = absl::StrCat("waits for ", obstacles.front());
  if (obstacles.size() > 1) absl::StrAppend(&reason, " and ", obstacles.size() - 1, " more");
  SetGate(decision, v1::Gate::KIND_AFTER, std::move(reason));
  for (std::string& name : names) decision.gate.add_on(std::move(name));
  decision.condition = v1::CONDITION_BLOCKED;
}

// Another of our resources holds the container or project name.
void GateOnName(const Facts& facts, Decision& decision) {
  if (facts.host() == nullptr) return;
  std::string holder;
  if (facts.shape == Shape::kContainer) {
    const auto& names = facts.context.index.Names(*facts.host()).by_name;
    const auto it = names.find(facts.docker_name);
    if (it != names.end() && facts.context.index.IsOurs(*it->second) &&
        it->second->resource() != facts.key) {
      holder = it->second->resource();
    }
  } else {
    for (const auto& [resource, project] : facts.host()->projects) {
      if (project->name() == facts.docker_name && resource != facts.key) holder = resource;
    }
  }
  if (holder.empty()) return;
  SetGate(decision, v1::Gate::KIND_NAME_TAKEN,
          absl::StrCat("waits for ", holder, ": it holds the name ", facts.docker_name));
  decision.gate.add_on(std::move(holder));
  decision.condition = v1::CONDITION_BLOCKED;
}

std::set<std::string> WantedPorts(const Facts& facts) {
  std::set<std::string> ports;
  if (facts.target.spec == nullptr || !facts.target.spec->has_deployment()) return ports;
  const auto spec = resources::ContainerSpecOf(*facts.target.spec);
  if (!spec.ok()) return ports;
  for (const v1::ContainerSpec::Port& port : spec->ports()) {
    if (port.host_port() == 0) continue;
    ports.insert(absl::StrCat(port.host_ip(), port.host_ip().empty() ? "" : ":", port.host_port(),
                              "/", port.protocol()));
  }
  return ports;
}

// What is about to go on the same server holds a port that is wanted.
void GateOnPorts(const Facts& facts, const Removals& removals, Decision& decision) {
  std::set<std::string> wanted;
  bool parsed = false;
  for (const auto& [id, removal] : removals) {
    if (removal.decision->server != facts.server_name || id == facts.id) continue;
    if (!parsed) wanted = WantedPorts(facts);
    parsed = true;
    for (const std::string& port : removal.host_ports) {
      if (!wanted.contains(port)) continue;
      SetGate(decision, v1::Gate::KIND_NAME_TAKEN,
              absl::StrCat("waits for ", id.ToString(), ": it holds port ", port));
      decision.gate.add_on(id.ToString());
      decision.condition = v1::CONDITION_BLOCKED;
      return;
    }
  }
}

bool Names(const v1::InventoryEntry& entry, const ResourceId& id, const std::string& key) {
  return std::any_of(entry.after().begin(), entry.after().end(),
                     [&](const std::string& text) { return text == key || text == id.name; });
}

// True when `from` leads to `to` along the recorded `after` of removals.
bool Reaches(const Removals& removals, const ResourceId& from, const ResourceId& to,
             std::set<ResourceId>& seen) {
  if (!seen.insert(from).second) return false;
  const v1::InventoryEntry* entry = removals.at(from).inventory;
  if (entry == nullptr) return false;
  for (const auto& [id, removal] : removals) {
    if (!Names(*entry, id, id.ToString())) continue;
    if (id == to || Reaches(removals, id, to, seen)) return true;
  }
  return false;
}

// What waited for it goes first; a ring of such has no first.
void GateOnDependents(const Facts& facts, const Removals& removals, Decision& decision) {
  if (!removals.contains(facts.id)) return;
  for (const auto& [id, removal] : removals) {
    if (id == facts.id || removal.inventory == nullptr) continue;
    if (!Names(*removal.inventory, facts.id, facts.key)) continue;
    std::set<ResourceId> seen;
    if (Reaches(removals, facts.id, id, seen)) continue;
    SetGate(decision, v1::Gate::KIND_AFTER, absl::StrCat(id.ToString(), " goes first"));
    decision.gate.add_on(id.ToString());
    decision.condition = v1::CONDITION_BLOCKED;
    return;
  }
}

absl::string_view ActionText(v1::StepAction action) {
  switch (action) {
    case v1::STEP_ACTION_CREATE:
      return "create";
    case v1::STEP_ACTION_REPLACE:
      return "replace";
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_DESTROY:
    case v1::STEP_ACTION_REMOVE_EXTRA:
      return "removal";
    case v1::STEP_ACTION_ROLLBACK:
      return "rollback";
    case v1::STEP_ACTION_MOVE:
      return "move";
    case v1::STEP_ACTION_STOP:
      return "stop";
    case v1::STEP_ACTION_START:
    case v1::STEP_ACTION_RESTART:
      return "start";
    case v1::STEP_ACTION_CHECK:
      return "pre-flight";
    default:
      return "an action";
  }
}

void GateOnBusy(const Facts& facts, Decision& decision) {
  // An agent that is away says nothing of its action either.
  if (facts.busy == v1::STEP_ACTION_NONE || decision.gate.kind() == v1::Gate::KIND_SERVER) return;
  if (!IsActing(decision.action)) decision.action = v1::STEP_ACTION_WAIT;
  const bool made = facts.shape == Shape::kNone;
  const absl::string_view what = !made                      ? ActionText(facts.busy)
                                 : facts.id.kind == "build" ? "a build"
                                                            : "a checkout";
  SetGate(decision, v1::Gate::KIND_BUSY, absl::StrCat(what, " is under way"));
  if (decision.reason.empty() || made) decision.reason = decision.gate.reason();
  decision.condition = v1::CONDITION_PROGRESSING;
  // Decided again when the action has ended.
  decision.new_failure = nullptr;
}

}  // namespace

bool IsForward(v1::StepAction action) {
  switch (action) {
    case v1::STEP_ACTION_CREATE:
    case v1::STEP_ACTION_REPLACE:
    case v1::STEP_ACTION_UPDATE:
    case v1::STEP_ACTION_MOVE:
    case v1::STEP_ACTION_ADOPT:
    case v1::STEP_ACTION_START:
    case v1::STEP_ACTION_RESTART:
    case v1::STEP_ACTION_CHECK:
      return true;
    default:
      return false;
  }
}

void ApplyOwnGates(const Facts& facts, Decision& decision) {
  const bool forward = IsForward(decision.action);
  if (facts.desired != nullptr && !facts.desired->not_yet.empty() &&
      (decision.rule > 5 || decision.rule == 0) &&
      (forward || decision.action == v1::STEP_ACTION_NONE) && !facts.target.invalid) {
    decision.gate.Clear();
    Block(decision, v1::Gate::KIND_RESOURCE, v1::CONDITION_BLOCKED,
          absl::StrCat("not yet: ", facts.desired->not_yet));
  } else if (forward && facts.target.is_final_failure) {
    SetGate(decision, v1::Gate::KIND_FAILED,
            absl::StrCat("this spec failed: ", facts.target.failure->reason()));
    if (!facts.target.invalid) decision.condition = v1::CONDITION_DEGRADED;
    decision.degraded = true;
  } else if (forward && facts.target.uses_good_spec &&
             !StandInOf(*facts.inventory, facts.target.hash).IsComplete() &&
             MakesContainers(decision.action)) {
    decision.gate.Clear();
    SetGate(decision, v1::Gate::KIND_RESOURCE,
            "the files of its last good spec are not kept: the declaration must be readable");
  } else if (decision.gate.kind() != v1::Gate::KIND_APPROVAL) {
    GateOnFailedAttempt(facts, decision);
    if (decision.gate.kind() == v1::Gate::KIND_OPEN) GateOnPreflight(facts, decision);
  }
  if (decision.action != v1::STEP_ACTION_NONE || facts.busy != v1::STEP_ACTION_NONE) {
    GateOnBusy(facts, decision);
  }
  const v1::Gate::Kind kind = decision.gate.kind();
  decision.open_step =
      (IsActing(decision.action) || decision.action == v1::STEP_ACTION_WAIT) &&
      (kind == v1::Gate::KIND_OPEN || kind == v1::Gate::KIND_BUSY || kind == v1::Gate::KIND_HEALTH);
}

void ApplyCommonGates(const Facts& facts, const Removals& removals, const DecisionOf& decision_of,
                      Decision& decision, std::map<ResourceId, std::string>& procedure_needs) {
  if (decision.gate.kind() != v1::Gate::KIND_OPEN) return;
  if (decision.action == v1::STEP_ACTION_PRUNE) {
    GateOnDependents(facts, removals, decision);
    return;
  }
  if (!IsForward(decision.action)) return;
  GateOnDependencies(facts, decision_of, decision, procedure_needs);
  if (decision.gate.kind() != v1::Gate::KIND_OPEN) return;
  const bool takes_name =
      decision.action == v1::STEP_ACTION_CREATE || decision.action == v1::STEP_ACTION_MOVE ||
      (decision.action == v1::STEP_ACTION_REPLACE && facts.pair.current != nullptr &&
       facts.pair.current->name() != facts.docker_name);
  if (takes_name) GateOnName(facts, decision);
  if (decision.gate.kind() != v1::Gate::KIND_OPEN) return;
  if (MakesContainers(decision.action) && !removals.empty()) GateOnPorts(facts, removals, decision);
}

}  // namespace fairlead::sync
