// From desired state, live state and inventory to a plan. Pure: no I/O, no clock, no random.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/state.pb.h"
#include "resources/spec_hash.h"
#include "sync/desired.h"
#include "sync/live.h"

namespace fairlead::sync {

// By resource ("deployment/web").
using Inventory = absl::btree_map<std::string, std::shared_ptr<const v1::InventoryEntry>>;

// Creates containers, for which it may pull images, and takes their names and ports.
bool MakesContainers(v1::StepAction action);

// An attempt that failed, kept until its time or until the target changes.
struct FailedAttempt {
  std::string target_hash;
  v1::StepAction action = v1::STEP_ACTION_NONE;
  std::string message;
  int attempts = 0;
  // Try again then; infinite future: only for another target or `retry`.
  absl::Time not_before;
  // Meanwhile another spec stands in, to heal what is gone: of its attempts that failed.
  int stand_in_attempts = 0;
  absl::Time stand_in_not_before = absl::InfinitePast();
};

// The spec that stands in for a declared one: the last that was healthy, else the last applied.
struct StandIn {
  // Null: nothing was ever applied.
  const v1::Resource* spec = nullptr;
  absl::string_view hash;
  absl::string_view revision;
  // Of a stack from a repository.
  const google::protobuf::RepeatedPtrField<v1::StackFile>* files = nullptr;

  // A stack can be applied from what is kept.
  bool IsComplete() const;
};
StandIn LastGood(const v1::InventoryEntry& entry);
StandIn LastApplied(const v1::InventoryEntry& entry);
// The one of the two that a decision with this target hash means.
StandIn StandInOf(const v1::InventoryEntry& entry, absl::string_view target_hash);

// The change of a resource waits for another one's, which met an obstacle in its pre-flight.
struct PreflightHold {
  // "deployment/web".
  std::string on;
  std::string reason;

  bool operator==(const PreflightHold&) const = default;
};

// A procedure is to have run for this wanted spec of what comes after it.
struct ProcedureNeed {
  // "deployment/web".
  std::string dependent;
  std::string hash;

  // In place of a spec hash, where a run for it that has failed is kept.
  std::string KeyOf(absl::string_view procedure_hash) const;
};

// A run that something declared waits for.
struct NeededRun {
  // "build/api".
  std::string resource;
  // Who waits: "deployment/web".
  std::string by;

  bool operator==(const NeededRun&) const = default;
};

// All that decides, at one moment. Everything is immutable while a plan is computed.
struct PlanInput {
  std::shared_ptr<const DesiredState> desired;
  std::shared_ptr<const LiveState> live;
  Inventory inventory;
  // By resource; then by spec hash.
  std::map<std::string, std::map<std::string, v1::FailedSpec>> failed_specs;
  std::map<std::string, v1::Hold> holds;
  // Of syncs that ask for approval.
  std::map<std::string, v1::Approval> approvals;
  // What runs have made, by resource.
  std::map<std::string, v1::BuildRecord> builds;
  std::map<std::string, v1::RepoRecord> repos;
  std::map<std::string, v1::ProcedureRecord> procedures;
  // Resources with an action under way, and that action.
  std::map<std::string, v1::StepAction> busy;
  std::map<std::string, FailedAttempt> failed_attempts;
  std::map<std::string, PreflightHold> preflight_holds;
  // Resources with deploy = false that are to be deployed this once.
  std::set<std::string> deploy_requests;
  std::string installation;
  // To tell hashes that cannot be checked.
  const resources::SpecHasher* hasher = nullptr;
  absl::Time now;
  // More deletions than the guard allows, granted by an operator, by origin.
  std::map<std::string, uint32_t> allow_delete;
};

// What the rule table says of one resource.
struct Decision {
  resources::ResourceId id;
  // Row of the rule table; 0: the kind has nothing to converge.
  uint32_t rule = 0;
  v1::StepAction action = v1::STEP_ACTION_NONE;
  v1::Condition condition = v1::CONDITION_UNSPECIFIED;
  std::string reason;
  v1::Gate gate;
  // Where the step acts: for MOVE the new server, for removals the one that holds the containers.
  std::string server;
  std::string target_hash;
  std::string live_hash;
  // What containers are to be after the step, holds included. The declared one also where another
  // spec stands in because the declared one failed.
  v1::WantedState wanted_state = v1::WANTED_STATE_RUNNING;
  bool heal = false;
  // The target is not the declared spec but one of the inventory: `target_hash` says which.
  bool uses_good_spec = false;
  // Heals what was applied last, while the declared change cannot begin.
  bool stands_in = false;
  // The live hash cannot be checked by this controller.
  bool unverified = false;
  std::vector<std::string> container_ids;
  // Live equals target and is healthy: what `after` waits for.
  bool satisfied = false;
  // When time alone changes the decision; infinite future: never.
  absl::Time wake_at = absl::InfiniteFuture();
  // A step that is to happen without anybody's help is open, running or waits for health.
  bool open_step = false;
  // Shown Degraded or in a crash loop: a new spec of a dependent waits.
  bool degraded = false;
  // MOVE: the server that holds the containers so far.
  std::string from_server;
  // What is there is accepted as the target although the inventory does not know it.
  bool record_inventory = false;
  // Of a build or repo: it must run, for what is declared needs it.
  std::string needed_by;
  // The spec has failed just now: to be recorded durably before the step is carried out.
  std::shared_ptr<const v1::FailedSpec> new_failure;

  // The plan shows a step of it.
  bool has_step() const { return action != v1::STEP_ACTION_NONE; }
};

// What one pass keeps for the next. Opaque.
struct PlanMemo;

struct PlanResult {
  v1::Plan plan;
  // Every declared or owned resource.
  absl::btree_map<resources::ResourceId, std::shared_ptr<const Decision>> decisions;
  // Earliest wake_at.
  absl::Time wake_at = absl::InfiniteFuture();
  // Where in plan.steps the step of a resource is; those without a step are left out.
  absl::btree_map<resources::ResourceId, int> step_index;
  // Specs that have failed and are not yet in PlanInput::failed_specs.
  std::vector<v1::FailedSpec> new_failures;
  // What this pass looked at; also those that are gone by it.
  std::vector<resources::ResourceId> decided;
  // In order of resource.
  std::vector<NeededRun> needed_runs;
  // Number of decisions by kind and condition.
  std::map<std::pair<std::string, v1::Condition>, uint32_t> conditions;
  std::shared_ptr<const PlanMemo> memo;
};

// Same input, same plan, byte for byte. An empty plan means in sync. InvalidArgument only for an
// impossible input. With `previous` and `dirty` given only the dirty resources and those their
// decisions reach are decided anew; the result is the same as without, provided every resource
// whose desired, live, inventory, hold, failure or busy state changed since is in `dirty`, and
// every one whose wake_at has passed.
absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input);
absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input, const PlanResult& previous,
                                       const std::set<resources::ResourceId>& dirty);
// As above, without a copy of what stays.
absl::StatusOr<PlanResult> ComputePlan(const PlanInput& input, PlanResult&& previous,
                                       const std::set<resources::ResourceId>& dirty);

// Resources of `server` that a change of its live state concerns: to be put into `dirty`.
std::set<resources::ResourceId> ComputeConcerned(const DesiredState& desired,
                                                 const Inventory& inventory,
                                                 const std::string& server,
                                                 const LiveChange& change);

// Nothing is left to do about a resource in this condition.
bool IsWell(v1::Condition condition);

// The revision of its source that is in force.
std::string RevisionOf(const PlanInput& input, const DesiredResource& desired);

// The approval that a step asks for.
v1::Approval ApprovalOf(const v1::Step& step);

// What people see of one resource.
v1::ResourceStatus ComputeStatus(const PlanInput& input, const PlanResult& plan,
                                 const resources::ResourceId& id);

}  // namespace fairlead::sync
