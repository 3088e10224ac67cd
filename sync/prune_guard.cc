#include "sync/prune_guard.h"

#include "absl/strings/str_cat.h"

#include "resources/resource_id.h"

namespace fairlead::sync {
namespace {

// Up to so many, or up to this share of a sync, go without being asked for.
constexpr uint32_t kFreeCount = 3;
constexpr uint32_t kFreePercent = 30;

struct Counts {
  uint32_t owned = 0;
  uint32_t doomed = 0;
};

// Resources of a forgotten server are dropped, not removed.
bool IsToBeRemoved(const PlanInput& input, const v1::InventoryEntry& entry) {
  return input.desired->resources.contains(resources::ResourceId{"server", entry.server()});
}

std::map<std::string, Counts> Count(const PlanInput& input,
                                    const std::vector<const v1::InventoryEntry*>& undeclared) {
  std::map<std::string, Counts> counts;
  for (const v1::InventoryEntry* entry : undeclared) {
    if (IsToBeRemoved(input, *entry)) ++counts[entry->origin()].doomed;
  }
  for (const auto& [resource, entry] : input.inventory) {
    const auto it = counts.find(entry->origin());
    if (it != counts.end()) ++it->second.owned;
  }
  return counts;
}

std::string TooMany(const PlanInput& input, const std::string& origin, const SourceSummary& source,
                    const Counts& counts) {
  if (counts.doomed <= kFreeCount || counts.doomed * 100 <= counts.owned * kFreePercent) return "";
  const auto granted = input.allow_delete.find(origin);
  if (granted != input.allow_delete.end() && granted->second >= counts.doomed) return "";
  return absl::StrCat("would remove ", counts.doomed, " of ", counts.owned, " resources of ",
                      source.name, "; allow it with: fairlead sync ", source.name,
                      " --allow-delete ", counts.doomed);
}

}  // namespace

absl::string_view PruneGuard::BlockerOf(const std::string& origin) const {
  if (!general.empty()) return general;
  const auto it = by_origin.find(origin);
  return it == by_origin.end() ? absl::string_view() : absl::string_view(it->second);
}

PruneGuard ComputePruneGuard(const PlanInput& input,
                             const std::vector<const v1::InventoryEntry*>& undeclared) {
  PruneGuard guard;
  if (!input.desired->complete) guard.general = "not every source has been read yet";
  if (undeclared.empty()) return guard;
  const std::map<std::string, Counts> counts = Count(input, undeclared);
  for (const auto& [origin, source] : input.desired->sources) {
    std::string blocker;
    if (!source.prune_blocker.empty()) {
      blocker = absl::StrCat("nothing of ", source.name, " is removed: ", source.prune_blocker);
    } else if (const auto it = counts.find(origin); it != counts.end()) {
      blocker = TooMany(input, origin, source, it->second);
    }
    if (!blocker.empty()) guard.by_origin[origin] = std::move(blocker);
  }
  return guard;
}

}  // namespace fairlead::sync
