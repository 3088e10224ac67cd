// The rule table: what happens to a resource. Internal to the planner.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "sync/facts.h"
#include "sync/planner.h"

namespace fairlead::sync {

// One row. `decide` fills in the decision and returns true when the row's condition holds.
struct Rule {
  uint32_t number;
  absl::string_view name;
  // One line for docs and for people.
  absl::string_view reason;
  bool (*decide)(const Facts& facts, Decision& decision);
};

// In order; the first row that matches decides, and the last one always matches.
absl::Span<const Rule> Rules();

// What the table says, before gates.
void Classify(const Facts& facts, Decision& decision);

// Rows by topic: rules_presence.cc, rules_under_way.cc, rules_replace.cc, rules_run.cc.
bool DecideUndeclared(const Facts& facts, Decision& decision);
bool DecideUnreachable(const Facts& facts, Decision& decision);
bool DecideObserved(const Facts& facts, Decision& decision);
bool DecideNameTaken(const Facts& facts, Decision& decision);
bool DecideAbsent(const Facts& facts, Decision& decision);
bool DecideReplacement(const Facts& facts, Decision& decision);
bool DecideMove(const Facts& facts, Decision& decision);
bool DecideMissing(const Facts& facts, Decision& decision);
bool DecideDiffers(const Facts& facts, Decision& decision);
bool DecideLiveField(const Facts& facts, Decision& decision);
bool DecideStop(const Facts& facts, Decision& decision);
bool DecideNotRunning(const Facts& facts, Decision& decision);
bool DecideUnhealthy(const Facts& facts, Decision& decision);
bool DecideExtra(const Facts& facts, Decision& decision);
bool DecideOtherwise(const Facts& facts, Decision& decision);

// Builds and repos: whether what they make is there.
void DecideMade(const Facts& facts, Decision& decision);

// The ways a row fills in a decision.
void Act(Decision& decision, v1::StepAction action, std::string reason,
         v1::Condition condition = v1::CONDITION_PROGRESSING);
void Block(Decision& decision, v1::Gate::Kind gate, v1::Condition condition, std::string reason);
void Rest(Decision& decision, v1::Condition condition, std::string reason = "");
// Drift that the resource asks not to be healed.
void Report(Decision& decision, const std::string& reason);
void SetUntil(Decision& decision, v1::Gate::Kind gate, absl::Time until, std::string reason);

// When a spec that was never healthy has had its time and has failed; infinite future: it cannot
// fail (it was healthy once, stands in for another, or something is under way).
absl::Time FirstDeadlineOf(const Facts& facts);
// Blocks, and asks for the failure to be recorded.
void FailSpec(const Facts& facts, Decision& decision, std::string reason);
std::shared_ptr<const v1::FailedSpec> MakeFailure(const Facts& facts, const std::string& reason,
                                                  const v1::Container* container);

// The revision in effect of the resource's source; empty when it has none.
std::string RevisionOf(const PlanInput& input, const DesiredResource* desired,
                       const v1::InventoryEntry* inventory);

}  // namespace fairlead::sync
