// One planning pass. Internal to the planner.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "sync/facts.h"
#include "sync/gates.h"
#include "sync/planner.h"
#include "sync/prune_guard.h"

namespace fairlead::sync {

struct PlanMemo {
  std::string installation;
  std::shared_ptr<const HostIndexes> hosts;
  // Owned or labelled, and declared nowhere.
  std::set<resources::ResourceId> undeclared;
  std::set<std::pair<absl::Time, resources::ResourceId>> timers;
  // Field changes of a step, valid while both sides are the same objects.
  struct Changes {
    std::shared_ptr<const v1::InventoryEntry> before;
    std::shared_ptr<const v1::Resource> after;
    std::vector<v1::FieldChange> changes;
  };
  std::map<resources::ResourceId, Changes> changes;
};

// Decides and assembles. Confined to one call of ComputePlan.
class PlanPass {
 public:
  // `known` may be null.
  PlanPass(const PlanInput& input, PlanResult result, const PlanMemo* known);

  // One of them, once.
  void DecideAll();
  void DecideSome(const std::set<resources::ResourceId>& dirty);

  PlanResult Finish();

 private:
  // A resource with the two things that can make it exist.
  struct Subject {
    resources::ResourceId id;
    const DesiredResource* desired = nullptr;
    const std::shared_ptr<const v1::InventoryEntry>* inventory = nullptr;
  };
  // Decided in this pass, and with a step.
  struct Open {
    std::unique_ptr<Facts> facts;
    std::shared_ptr<Decision> decision;
  };

  std::vector<Subject> AllSubjects() const;
  std::vector<Subject> LabelledOnly(const std::vector<Subject>& known) const;
  Subject Look(const resources::ResourceId& id) const;
  std::set<resources::ResourceId> Spread(const std::set<resources::ResourceId>& dirty) const;
  void AddOfServers(const std::set<std::string>& servers,
                    std::set<resources::ResourceId>& some) const;
  std::set<std::string> ChangedServers() const;
  void AddDependents(const std::set<resources::ResourceId>& of,
                     std::set<resources::ResourceId>& some) const;
  void SetGuard(const std::vector<Subject>& subjects);
  // Appended when all come in order.
  void Decide(const Subject& subject, bool append);
  std::optional<Open> StandIn(const Facts& facts, absl::string_view why);
  void HealMeanwhile(Open& open, const DecisionOf& decision_of);
  void Gate();
  void CollectNeeds();
  void CountConditions();
  void Assemble();
  void AddChanges(const Facts& facts, const Decision& decision, v1::Step& step);
  void FillHead();

  const PlanInput& input_;
  const PlanMemo* const known_;
  PlanContext context_;
  PlanResult result_;
  std::shared_ptr<PlanMemo> memo_;
  PruneGuard guard_;
  Removals removals_;
  std::vector<Open> open_;
  // By procedure: who waits for a run of it.
  std::map<resources::ResourceId, std::string> procedure_needs_;
};

}  // namespace fairlead::sync
