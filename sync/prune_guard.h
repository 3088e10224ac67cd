// Why nothing may be removed. Internal to the planner.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "sync/planner.h"

namespace fairlead::sync {

// What speaks against removal, as of one pass.
struct PruneGuard {
  // Why nothing at all may be concluded from a missing declaration; empty: nothing.
  std::string general;
  // By origin that still exists: why nothing of it may be removed; left out: it may.
  std::map<std::string, std::string> by_origin;

  // Empty when resources of `origin` may be removed.
  absl::string_view BlockerOf(const std::string& origin) const;
};

// `undeclared` are inventory entries that nothing declares any more.
PruneGuard ComputePruneGuard(const PlanInput& input,
                             const std::vector<const v1::InventoryEntry*>& undeclared);

}  // namespace fairlead::sync
