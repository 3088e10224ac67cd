// Why a step must wait. Internal to the planner.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sync/classify.h"
#include "sync/facts.h"

namespace fairlead::sync {

// True for actions that make something new of the resource, and for the look ahead at one: they
// wait for `after`, and for a failed attempt of any of them.
bool IsForward(v1::StepAction action);

// Gates that need only the resource itself: not yet, failed spec, failed attempt, pre-flight, busy.
// Sets open_step.
void ApplyOwnGates(const Facts& facts, Decision& decision);

// A removal that is part of this plan.
struct Removal {
  const Decision* decision = nullptr;
  const v1::InventoryEntry* inventory = nullptr;
  std::vector<std::string> host_ports;
};
using Removals = std::map<resources::ResourceId, Removal>;

// The decision of a resource, or null.
using DecisionOf = std::function<const Decision*(const resources::ResourceId&)>;

// Gates that need other resources: dependencies, names and ports still held, removal in reverse
// order. A procedure that must run first, when nothing else is waited for, is added to
// `procedure_needs` with who waits for it.
void ApplyCommonGates(const Facts& facts, const Removals& removals, const DecisionOf& decision_of,
                      Decision& decision,
                      std::map<resources::ResourceId, std::string>& procedure_needs);

}  // namespace fairlead::sync
