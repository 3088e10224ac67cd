#include "sync/classify.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"

#include "resources/kind_table.h"
#include "sync/prune_guard.h"

namespace fairlead::sync {
namespace {

constexpr std::array<Rule, 15> kRules = {{
    {1, "undeclared", "declared nowhere", DecideUndeclared},
    {2, "unreachable", "nothing to aim at, or the server is unknown, disabled or offline",
     DecideUnreachable},
    {3, "observed", "deploy = false", DecideObserved},
    {4, "name taken", "a foreign container holds the name", DecideNameTaken},
    {5, "absent", "state = \"absent\"", DecideAbsent},
    {6, "replacement under way", "a kept old container exists, or a new one without the name",
     DecideReplacement},
    {7, "wrong server", "it is on another server", DecideMove},
    {8, "missing", "nothing is there", DecideMissing},
    {9, "differs", "the recreate hash differs, or it was changed by hand", DecideDiffers},
    {10, "live field", "a field that can be changed in place differs", DecideLiveField},
    {11, "to be stopped", "wanted stopped and runs", DecideStop},
    {12, "not running", "wanted running and does not run", DecideNotRunning},
    {13, "unhealthy", "unhealthy beyond its limit", DecideUnhealthy},
    {14, "extra container", "an owned container without a role", DecideExtra},
    {15, "otherwise", "nothing to do", DecideOtherwise},
}};

void DecideServer(const Facts& facts, Decision& decision) {
  const ServerFacts& server = facts.context.Server(facts.id.name);
  decision.server = facts.id.name;
  decision.satisfied = false;
  if (!server.enabled) {
    Rest(decision, v1::CONDITION_STOPPED, "disabled");
  } else if (server.host == nullptr || !server.host->online) {
    Rest(decision, v1::CONDITION_UNKNOWN,
         server.host == nullptr ? "agent has not connected" : "agent is not connected");
  } else if (!server.host->engine_up) {
    Rest(decision, v1::CONDITION_UNKNOWN,
         absl::StrCat("docker does not answer: ", server.host->engine_error));
  } else {
    Rest(decision, v1::CONDITION_READY);
    decision.satisfied = true;
  }
}

// Kinds that no container comes of.
void DecidePlain(const Facts& facts, Decision& decision) {
  if (facts.desired == nullptr) {
    // Only a record is left: nothing has to be removed on a host.
    decision.rule = 1;
    if (!facts.context.guard->general.empty()) {
      Rest(decision, v1::CONDITION_ORPHANED, facts.context.guard->general);
      return;
    }
    Act(decision, v1::STEP_ACTION_FORGET, "declared nowhere", v1::CONDITION_ORPHANED);
    return;
  }
  const std::string& not_acted_on = resources::FindKind(facts.id.kind)->not_acted_on;
  if (facts.id.kind == "server") {
    DecideServer(facts, decision);
  } else if (!not_acted_on.empty()) {
    // What waits for it waits.
    Rest(decision, v1::CONDITION_NOT_ACTED_ON,
         absl::StrCat("read and checked; not yet: ", not_acted_on));
  } else if (facts.id.kind == "build" || facts.id.kind == "repo") {
    DecideMade(facts, decision);
  } else if (facts.desired->spec != nullptr && facts.desired->spec->builder().has_aws()) {
    Rest(decision, v1::CONDITION_NOT_ACTED_ON, "read and checked; not yet: machines at AWS");
  } else {
    Rest(decision, v1::CONDITION_READY);
    // That a procedure could run says nothing of whether it has.
    decision.satisfied = facts.id.kind != "procedure";
  }
}

std::string FirstError(const DesiredResource& desired) {
  for (const v1::Problem& problem : desired.problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    return absl::StrCat(problem.file(), ":", problem.line(), ":", problem.column(), " ",
                        problem.message());
  }
  return "it cannot be read";
}

std::string DescribeFailure(const v1::FailedSpec& failure) {
  return absl::StrCat(
      failure.by().empty() ? "the declared spec failed: " : "the declared spec is put aside: ",
      failure.reason());
}

// What is shown of a declaration that is not the target.
void ShowDeclaration(const Facts& facts, Decision& decision) {
  if (facts.desired == nullptr) return;
  if (facts.desired->invalid) {
    decision.condition = v1::CONDITION_INVALID;
    std::string error = FirstError(*facts.desired);
    if (decision.action == v1::STEP_ACTION_NONE) {
      Block(decision, v1::Gate::KIND_RESOURCE, v1::CONDITION_INVALID, std::move(error));
    } else if (decision.reason != error) {
      absl::StrAppend(&decision.reason, "; invalid: ", error);
    }
    return;
  }
  const v1::FailedSpec* failure = facts.target.failure;
  // A spec that stays and gets healthy late is well.
  if (failure == nullptr || (facts.target.is_final_failure && decision.satisfied)) return;
  decision.degraded = true;
  if (decision.condition != v1::CONDITION_CRASH_LOOP) decision.condition = v1::CONDITION_DEGRADED;
  if (decision.action == v1::STEP_ACTION_NONE) {
    Block(decision, v1::Gate::KIND_FAILED, decision.condition, DescribeFailure(*failure));
  } else if (facts.target.uses_good_spec) {
    absl::StrAppend(&decision.reason, "; ", DescribeFailure(*failure));
  }
}

}  // namespace

absl::Span<const Rule> Rules() { return kRules; }

void Classify(const Facts& facts, Decision& decision) {
  if (facts.shape == Shape::kNone) {
    DecidePlain(facts, decision);
    if (facts.desired != nullptr && facts.desired->invalid) ShowDeclaration(facts, decision);
    return;
  }
  decision.server = facts.server_name;
  decision.target_hash = std::string(facts.target.hash);
  decision.live_hash = std::string(facts.live_hash);
  decision.uses_good_spec = facts.target.uses_good_spec;
  decision.wanted_state = facts.target.state;
  decision.unverified = facts.unverified;
  for (const Rule& rule : kRules) {
    if (!rule.decide(facts, decision)) continue;
    decision.rule = rule.number;
    break;
  }
  ShowDeclaration(facts, decision);
  decision.degraded = decision.degraded || decision.condition == v1::CONDITION_DEGRADED ||
                      decision.condition == v1::CONDITION_CRASH_LOOP;
  decision.record_inventory = facts.desired != nullptr && facts.inventory == nullptr &&
                              facts.pair.present() && facts.hash_matches && decision.rule > 5;
  if (facts.hold != nullptr && facts.hold->has_expires_at()) {
    decision.wake_at = std::min(decision.wake_at, FromProto(facts.hold->expires_at()));
  }
}

void Act(Decision& decision, v1::StepAction action, std::string reason, v1::Condition condition) {
  decision.action = action;
  decision.condition = condition;
  decision.reason = std::move(reason);
}

void Block(Decision& decision, v1::Gate::Kind gate, v1::Condition condition, std::string reason) {
  decision.action = v1::STEP_ACTION_BLOCKED;
  decision.condition = condition;
  decision.gate.set_kind(gate);
  decision.gate.set_reason(reason);
  decision.reason = std::move(reason);
}

void Rest(Decision& decision, v1::Condition condition, std::string reason) {
  decision.action = v1::STEP_ACTION_NONE;
  decision.condition = condition;
  decision.reason = std::move(reason);
}

void Report(Decision& decision, const std::string& reason) {
  decision.heal = true;
  Rest(decision, v1::CONDITION_DEGRADED, absl::StrCat(reason, "; heal = false leaves it"));
}

void SetUntil(Decision& decision, v1::Gate::Kind gate, absl::Time until, std::string reason) {
  decision.gate.set_kind(gate);
  decision.gate.set_reason(std::move(reason));
  if (until == absl::InfiniteFuture()) return;
  *decision.gate.mutable_until() = ToProto(until);
  decision.wake_at = std::min(decision.wake_at, until);
}

absl::Time FirstDeadlineOf(const Facts& facts) {
  const bool can_fail = facts.target.failure == nullptr && !facts.target.held &&
                        !facts.target.uses_good_spec && !facts.IsProven() &&
                        facts.busy == v1::STEP_ACTION_NONE && facts.WasApplied() &&
                        facts.hash_matches;
  if (!can_fail) return absl::InfiniteFuture();
  // What was never started has had no time to become healthy, however old it is: it was made to be
  // stopped, or its start was cut off. A start that fails has a backoff of its own. What was
  // stopped, as declared or by somebody, is no fault of its spec.
  const v1::Container* const down = facts.vitals.first_down;
  if (down != nullptr && (!down->has_started_at() || down->killed() || facts.WasAppliedStopped())) {
    return absl::InfiniteFuture();
  }
  return FirstDeadline(facts.pair.members, *facts.inventory, facts.health, facts.clock_offset(),
                       facts.input().now);
}

void FailSpec(const Facts& facts, Decision& decision, std::string reason) {
  decision.new_failure = MakeFailure(facts, reason, facts.vitals.worst());
  decision.degraded = true;
  Block(decision, v1::Gate::KIND_FAILED, v1::CONDITION_DEGRADED, std::move(reason));
}

std::shared_ptr<const v1::FailedSpec> MakeFailure(const Facts& facts, const std::string& reason,
                                                  const v1::Container* container) {
  auto failure = std::make_shared<v1::FailedSpec>();
  failure->set_resource(facts.key);
  failure->set_spec_hash(std::string(facts.target.hash));
  failure->set_reason(reason);
  if (container != nullptr) failure->set_log_tail(container->log_tail());
  *failure->mutable_at() = ToProto(facts.input().now);
  failure->set_revision(RevisionOf(facts.input(), facts.desired, facts.inventory));
  return failure;
}

std::string RevisionOf(const PlanInput& input, const DesiredResource& desired) {
  const auto source = input.desired->sources.find(desired.origin);
  return source == input.desired->sources.end() ? desired.revision : source->second.revision;
}

std::string RevisionOf(const PlanInput& input, const DesiredResource* desired,
                       const v1::InventoryEntry* inventory) {
  if (desired != nullptr) return RevisionOf(input, *desired);
  return inventory == nullptr ? "" : inventory->applied_revision();
}

}  // namespace fairlead::sync
