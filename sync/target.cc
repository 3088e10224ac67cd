// Which spec is the target.
#include "sync/facts.h"

namespace fairlead::sync {
namespace {

// The record of its failure; null when it has none.
const v1::FailedSpec* FailureOf(const Facts& facts, absl::string_view hash) {
  const auto& failed = facts.input().failed_specs;
  const auto by_hash = failed.find(facts.key);
  if (by_hash == failed.end()) return nullptr;
  const auto it = by_hash->second.find(std::string(hash));
  return it == by_hash->second.end() ? nullptr : &it->second;
}

void Use(const StandIn& stand_in, Target& target) {
  if (stand_in.spec == nullptr) return;
  target.uses_good_spec = true;
  target.spec = stand_in.spec;
  target.hash = stand_in.hash;
}

bool CanReturnToGood(const Facts& facts, const v1::Resource& declared,
                     const v1::FailedSpec& failed) {
  const v1::InventoryEntry* const inventory = facts.inventory;
  // Who puts a spec aside by hand wants the other one.
  const bool wanted = !failed.by().empty() || WantsRollback(declared);
  return inventory != nullptr && inventory->has_good() &&
         inventory->good_hash() != failed.spec_hash() &&
         FailureOf(facts, inventory->good_hash()) == nullptr && wanted &&
         LastGood(*inventory).IsComplete();
}

// What stands in for a declaration that is not to be followed. One that has failed is not tried
// again: what is there stays.
void StandOn(const Facts& facts, const StandIn& stand_in, Target& target) {
  Use(stand_in, target);
  target.wish = target.spec;
  if (stand_in.spec == nullptr) return;
  target.failure = FailureOf(facts, stand_in.hash);
  target.is_final_failure = target.failure != nullptr;
}

// What stands while the declaration cannot be read. What is stopped as it was declared cannot
// become healthy, and nobody asked to start what was before.
StandIn LastStanding(const Facts& facts) {
  const v1::InventoryEntry& entry = *facts.inventory;
  const bool stopped = entry.has_applied() && entry.applied().state() == v1::WANTED_STATE_STOPPED &&
                       FailureOf(facts, entry.applied_hash()) == nullptr;
  return stopped ? LastApplied(entry) : LastGood(entry);
}

// A change that nobody has approved: what was applied last stays, whatever is declared.
void UseApproved(const Facts& facts, Target& target) {
  const v1::InventoryEntry& entry = *facts.inventory;
  const bool applied_failed = FailureOf(facts, entry.applied_hash()) != nullptr;
  StandOn(facts, applied_failed ? LastGood(entry) : LastApplied(entry), target);
}

void ConsiderFailure(const Facts& facts, Target& target) {
  target.failure = FailureOf(facts, facts.desired->spec_hash);
  if (target.failure == nullptr) return;
  if (CanReturnToGood(facts, *target.wish, *target.failure)) {
    Use(LastGood(*facts.inventory), target);
  } else {
    target.is_final_failure = true;
  }
}

}  // namespace

StandIn LastApplied(const v1::InventoryEntry& entry) {
  if (!entry.has_applied()) return {};
  return {&entry.applied(), entry.applied_hash(), entry.applied_revision(), &entry.applied_files()};
}

StandIn LastGood(const v1::InventoryEntry& entry) {
  // Of one hash they differ in what is changed in place, and the one applied last counts.
  if (!entry.has_good() || entry.good_hash() == entry.applied_hash()) return LastApplied(entry);
  return {&entry.good(), entry.good_hash(), entry.good_revision(), &entry.good_files()};
}

StandIn StandInOf(const v1::InventoryEntry& entry, absl::string_view target_hash) {
  const StandIn applied = LastApplied(entry);
  return applied.spec != nullptr && applied.hash == target_hash ? applied : LastGood(entry);
}

bool StandIn::IsComplete() const {
  return spec != nullptr && (!spec->has_stack() || !spec->stack().file_contents().empty() ||
                             (files != nullptr && !files->empty()));
}

bool WantsRollback(const v1::Resource& declared) {
  return !declared.has_deployment() || declared.deployment().rollback();
}

Target ComputeTarget(const Facts& facts) {
  Target target;
  if (facts.desired == nullptr) return target;
  target.invalid = facts.desired->invalid || facts.desired->resolved == nullptr;
  if (target.invalid) {
    if (facts.inventory != nullptr) StandOn(facts, LastStanding(facts), target);
  } else if (facts.unapproved) {
    UseApproved(facts, target);
  } else {
    target.spec = target.wish = facts.desired->resolved.get();
    target.hash = facts.desired->spec_hash;
    ConsiderFailure(facts, target);
  }
  if (target.wish == nullptr) return target;
  target.state = target.wish->state();
  if (facts.hold != nullptr && target.state != v1::WANTED_STATE_ABSENT) {
    target.paused = facts.hold->kind() == v1::Hold::KIND_PAUSE;
    target.held = !target.paused;
    if (target.held) target.state = v1::WANTED_STATE_STOPPED;
  }
  return target;
}

}  // namespace fairlead::sync
