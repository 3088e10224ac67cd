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

// The last spec that was healthy, else the last one applied: what runs is kept.
void UseLastGood(const v1::InventoryEntry* inventory, Target& target) {
  if (inventory == nullptr) return;
  target.uses_good_spec = inventory->has_good() || inventory->has_applied();
  if (inventory->has_good()) {
    target.spec = &inventory->good();
    target.hash = inventory->good_hash();
  } else if (inventory->has_applied()) {
    target.spec = &inventory->applied();
    target.hash = inventory->applied_hash();
  }
}

bool WantsRollback(const v1::Resource& declared) {
  return !declared.has_deployment() || declared.deployment().rollback();
}

// Files of a stack that come from a repository are not kept with its spec.
bool IsSelfContained(const v1::Resource& spec) {
  return !spec.has_stack() || !spec.stack().file_contents().empty();
}

bool CanReturnToGood(const v1::InventoryEntry* inventory, const FailedByHash& failures,
                     const v1::Resource& declared, absl::string_view failed_hash) {
  return inventory != nullptr && inventory->has_good() && inventory->good_hash() != failed_hash &&
         !failures.contains(inventory->good_hash()) && WantsRollback(declared) &&
         IsSelfContained(inventory->good());
}

void ConsiderFailure(const Facts& facts, Target& target) {
  const FailedByHash* failures = FailuresOf(facts);
  if (failures == nullptr) return;
  const auto it = failures->find(facts.desired->spec_hash);
  if (it == failures->end()) return;
  // It was healthy after all.
  if (facts.inventory != nullptr && facts.inventory->good_hash() == it->first) return;
  target.failure = &it->second;
  if (CanReturnToGood(facts.inventory, *failures, *target.wish, it->first)) {
    UseLastGood(facts.inventory, target);
  } else {
    target.is_final_failure = true;
  }
}

}  // namespace

Target ComputeTarget(const Facts& facts) {
  Target target;
  if (facts.desired == nullptr) return target;
  target.invalid = facts.desired->invalid || facts.desired->resolved == nullptr;
  if (target.invalid) {
    UseLastGood(facts.inventory, target);
    target.wish = target.spec;
  } else {
    target.spec = target.wish = facts.desired->resolved.get();
    target.hash = facts.desired->spec_hash;
    ConsiderFailure(facts, target);
  }
  if (target.wish == nullptr) return target;
  target.state = target.wish->state();
  if (facts.hold != nullptr && target.state != v1::WANTED_STATE_ABSENT) {
    target.held = true;
    target.state = v1::WANTED_STATE_STOPPED;
  }
  return target;
}

}  // namespace fairlead::sync
