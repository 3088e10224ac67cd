// Which spec is the target.
#include "sync/facts.h"

namespace fairlead::sync {
namespace {

using FailedByHash = std::map<std::string, v1::FailedSpec>;

const FailedByHash* FailuresOf(const Facts& facts) {
  const auto& failed = facts.input().failed_specs;
  if (failed.empty()) return nullptr;
  const auto it = failed.find(facts.key);
  return it == failed.end() ? nullptr : &it->second;
}

void Use(const StandIn& stand_in, Target& target) {
  if (stand_in.spec == nullptr) return;
  target.uses_good_spec = true;
  target.spec = stand_in.spec;
  target.hash = stand_in.hash;
}

bool CanReturnToGood(const v1::InventoryEntry* inventory, const FailedByHash& failures,
                     const v1::Resource& declared, const v1::FailedSpec& failed) {
  // Who puts a spec aside by hand wants the other one.
  const bool wanted = !failed.by().empty() || WantsRollback(declared);
  return inventory != nullptr && inventory->has_good() &&
         inventory->good_hash() != failed.spec_hash() &&
         !failures.contains(inventory->good_hash()) && wanted && LastGood(*inventory).IsComplete();
}

// What stands while the declaration cannot be read. What is stopped as it was declared cannot
// become healthy, and nobody asked to start what was before.
StandIn LastStanding(const Facts& facts) {
  const v1::InventoryEntry& entry = *facts.inventory;
  const FailedByHash* failures = FailuresOf(facts);
  const bool stopped = entry.has_applied() && entry.applied().state() == v1::WANTED_STATE_STOPPED &&
                       (failures == nullptr || !failures->contains(entry.applied_hash()));
  return stopped ? LastApplied(entry) : LastGood(entry);
}

// A change that nobody has approved: what was applied last stays, whatever is declared.
void UseApproved(const Facts& facts, Target& target) {
  const v1::InventoryEntry& entry = *facts.inventory;
  const FailedByHash* failures = FailuresOf(facts);
  const bool applied_failed = failures != nullptr && failures->contains(entry.applied_hash());
  Use(applied_failed ? LastGood(entry) : LastApplied(entry), target);
  target.wish = target.spec;
}

void ConsiderFailure(const Facts& facts, Target& target) {
  const FailedByHash* failures = FailuresOf(facts);
  if (failures == nullptr) return;
  const auto it = failures->find(facts.desired->spec_hash);
  if (it == failures->end()) return;
  // It was healthy after all.
  if (facts.inventory != nullptr && facts.inventory->good_hash() == it->first) return;
  target.failure = &it->second;
  if (CanReturnToGood(facts.inventory, *failures, *target.wish, it->second)) {
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
    if (facts.inventory != nullptr) Use(LastStanding(facts), target);
    target.wish = target.spec;
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
