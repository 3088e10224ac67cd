#include "controller/loop/preflight_groups.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/backoff.h"
#include "resources/resource_id.h"

namespace fairlead::loop {
namespace {

using resources::ResourceId;

bool IsBeingChecked(const sync::PlanInput& input, const std::string& resource) {
  const auto busy = input.busy.find(resource);
  return busy != input.busy.end() && busy->second == v1::STEP_ACTION_CHECK;
}

bool MakesAfresh(const v1::Step& step) {
  return !step.heal() && sync::MakesContainers(step.action());
}

// Waits for nothing, or for the others of its group.
bool WaitsAtMostForOthers(const sync::PlanInput& input, const v1::Step& step) {
  switch (step.gate().kind()) {
    case v1::Gate::KIND_OPEN:
    case v1::Gate::KIND_AFTER:
    case v1::Gate::KIND_HOST_LIMIT:
    case v1::Gate::KIND_PREFLIGHT:
      return true;
    case v1::Gate::KIND_BUSY:
      return IsBeingChecked(input, step.resource());
    case v1::Gate::KIND_BACKOFF:
    case v1::Gate::KIND_FAILED:
      return HasFailedPreflight(input, step);
    default:
      return false;
  }
}

// Only then can there be a group: with thousands of steps that wait for nothing, none is looked up.
bool MayHaveGroups(const v1::Plan& plan) {
  return std::any_of(plan.steps().begin(), plan.steps().end(), [](const v1::Step& step) {
    const v1::Gate::Kind kind = step.gate().kind();
    return MakesAfresh(step) && kind != v1::Gate::KIND_OPEN && kind != v1::Gate::KIND_HOST_LIMIT;
  });
}

bool IsMember(const sync::PlanInput& input, const sync::PlanResult& result, const v1::Step& step,
              const ResourceId& id) {
  if ((id.kind != "deployment" && id.kind != "stack") || !MakesAfresh(step) ||
      !WaitsAtMostForOthers(input, step)) {
    return false;
  }
  const auto decision = result.decisions.find(id);
  if (decision == result.decisions.end() || decision->second->uses_good_spec) return false;
  // What ran and is gone comes back at once.
  const auto entry = input.inventory.find(step.resource());
  return step.action() != v1::STEP_ACTION_CREATE || entry == input.inventory.end() ||
         !entry->second->has_applied();
}

// Disjoint sets over step indexes.
class Sets {
 public:
  explicit Sets(int size) : parent_(static_cast<std::size_t>(size)) {
    for (int i = 0; i < size; ++i) Parent(i) = i;
  }
  int Find(int i) {
    while (Parent(i) != i) i = Parent(i) = Parent(Parent(i));
    return i;
  }
  void Join(int a, int b) { Parent(Find(a)) = Find(b); }

 private:
  int& Parent(int i) { return parent_[static_cast<std::size_t>(i)]; }
  std::vector<int> parent_;
};

}  // namespace

bool HasFailedPreflight(const sync::PlanInput& input, const v1::Step& step) {
  const auto attempt = input.failed_attempts.find(step.resource());
  return attempt != input.failed_attempts.end() &&
         attempt->second.action == v1::STEP_ACTION_CHECK &&
         attempt->second.target_hash == step.target_hash() &&
         base::IsWaiting(attempt->second.not_before, input.now);
}

std::vector<std::vector<int>> ComputePreflightGroups(const sync::PlanInput& input,
                                                     const sync::PlanResult& result) {
  const v1::Plan& plan = result.plan;
  if (!MayHaveGroups(plan)) return {};
  std::map<ResourceId, int> members;
  for (int i = 0; i < plan.steps_size(); ++i) {
    const auto id = ResourceId::Parse(plan.steps(i).resource());
    if (id.has_value() && IsMember(input, result, plan.steps(i), *id)) members.emplace(*id, i);
  }
  Sets sets(plan.steps_size());
  for (const auto& [id, index] : members) {
    const auto desired = input.desired->resources.find(id);
    if (desired == input.desired->resources.end()) continue;
    for (const ResourceId& dependency : desired->second->after) {
      const auto other = members.find(dependency);
      if (other != members.end()) sets.Join(index, other->second);
    }
  }
  std::map<int, std::vector<int>> by_root;
  for (const auto& [id, index] : members) by_root[sets.Find(index)].push_back(index);
  std::vector<std::vector<int>> groups;
  for (auto& [root, group] : by_root) {
    if (group.size() < 2) continue;
    std::sort(group.begin(), group.end());
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace fairlead::loop
