#include "controller/loop/autonomy_terms.h"

#include <set>

#include "absl/strings/str_cat.h"

#include "resources/kind_table.h"

namespace fairlead::loop {
namespace {

// What was applied last has failed.
bool HasFailed(const sync::PlanInput& input, const std::string& resource) {
  const auto failed = input.failed_specs.find(resource);
  const auto entry = input.inventory.find(resource);
  if (failed == input.failed_specs.end() || entry == input.inventory.end()) return false;
  return failed->second.contains(entry->second->applied_hash());
}

// A declaration that cannot be read is no reason: what runs is kept, and healed.
bool IsLeftAlone(const sync::PlanInput& input, const std::string& resource,
                 const sync::DesiredResource& desired) {
  if (input.holds.contains(resource)) return true;
  const v1::Resource* spec =
      desired.resolved != nullptr ? desired.resolved.get() : desired.spec.get();
  if (spec == nullptr) return false;
  return !spec->heal() || !spec->deploy() || spec->template_() ||
         spec->state() != v1::WANTED_STATE_RUNNING || HasFailed(input, resource);
}

}  // namespace

std::map<std::string, v1::AutonomyTerms> ComputeAutonomyTerms(const sync::PlanInput& input) {
  std::map<std::string, v1::AutonomyTerms> terms;
  const auto& resources = input.desired->resources;
  for (auto at = resources.lower_bound({"server", ""});
       at != resources.end() && at->first.kind == "server"; ++at) {
    if (at->second->invalid || at->second->spec == nullptr) continue;
    const v1::Server& server = at->second->spec->server();
    v1::AutonomyTerms& its = terms[at->first.name];
    its.set_heal(server.enabled() && server.autonomy() == v1::AUTONOMY_HEAL);
    if (its.heal()) *its.mutable_ttl() = server.autonomy_ttl();
  }
  std::map<std::string, std::set<std::string>> alone;
  for (const auto& [id, desired] : resources) {
    const auto its = terms.find(desired->server);
    if (its == terms.end() || !its->second.heal() || !resources::FindKind(id.kind)->deploys) {
      continue;
    }
    if (IsLeftAlone(input, id.ToString(), *desired)) alone[desired->server].insert(id.ToString());
  }
  for (const auto& [resource, entry] : input.inventory) {
    const auto its = terms.find(entry->server());
    if (its == terms.end() || !its->second.heal()) continue;
    const auto id = resources::ResourceId::Parse(resource);
    const auto desired = id ? resources.find(*id) : resources.end();
    // Also one that is wanted elsewhere.
    if (desired == resources.end() || desired->second->server != entry->server()) {
      alone[entry->server()].insert(resource);
    }
  }
  for (const auto& [server, left] : alone) {
    terms[server].mutable_leave_alone()->Assign(left.begin(), left.end());
  }
  return terms;
}

std::map<std::string, v1::AutonomyTerms> AutonomyWatch::Update(const sync::PlanInput& input) {
  if (!input.desired->complete) return {};
  std::vector<std::string> marks;
  for (const auto& [resource, hold] : input.holds) marks.push_back(resource);
  for (const auto& [resource, failed] : input.failed_specs) {
    marks.push_back(absl::StrCat(resource, " ", failed.size()));
  }
  const bool same = generation_ == input.desired->generation && marks == marks_ &&
                    inventory_ == input.inventory.size();
  if (same) return {};
  generation_ = input.desired->generation;
  marks_ = std::move(marks);
  inventory_ = input.inventory.size();
  return ComputeAutonomyTerms(input);
}

}  // namespace fairlead::loop
