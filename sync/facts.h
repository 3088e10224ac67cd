// All that decides about one resource, gathered. Internal to the planner.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

#include "sync/live_index.h"
#include "sync/planner.h"
#include "sync/vitals.h"

namespace fairlead::sync {

// What a kind becomes on a host.
enum class Shape { kNone, kContainer, kProject };
Shape ShapeOf(absl::string_view kind);

// A server as the rules see it.
struct ServerFacts {
  // Null when no agent has ever connected.
  const HostLive* host = nullptr;
  bool declared = false;
  bool enabled = true;
};

// What is to be: the declared spec, or the one that stands in for it.
struct Target {
  // Null: nothing can be wanted (spoilt, and never applied).
  const v1::Resource* spec = nullptr;
  // Of entry-level fields (deploy, heal, state): the declared one where it can be read.
  const v1::Resource* wish = nullptr;
  absl::string_view hash;
  v1::WantedState state = v1::WANTED_STATE_RUNNING;
  // The declaration is spoilt.
  bool invalid = false;
  // `spec` is the last good one.
  bool uses_good_spec = false;
  // The declared spec has failed; set also when there is a good one to return to.
  const v1::FailedSpec* failure = nullptr;
  // It has failed and stays: nothing is tried.
  bool is_final_failure = false;
  // A stop hold is in force.
  bool held = false;
  // A pause hold is: what is paused is left so.
  bool paused = false;
};

// What is there, in its roles.
struct Pair {
  // The container of a deployment.
  const v1::Container* current = nullptr;
  // `current` was started beside the one that still has the name, and is to get it.
  bool is_coming = false;
  // The one before it, kept by a replacement under way; it may serve still.
  const v1::Container* kept_old = nullptr;
  // Containers that count for the state: `current`, or those of a stack's services.
  absl::InlinedVector<const v1::Container*, 4> members;
  // Owned, on the wanted server, with no role.
  std::vector<const v1::Container*> extras;
  const v1::Project* project = nullptr;
  // The wanted server's, all roles together; null when there is nothing.
  const OwnedOnHost* here = nullptr;
  // Other servers that hold something of the resource.
  absl::InlinedVector<Presence::Place, 1> elsewhere;

  // What ran before the replacement under way has not been stopped.
  bool OldServes() const {
    return kept_old != nullptr && kept_old->state() == v1::CONTAINER_STATE_RUNNING;
  }
  // The resource is on the wanted server, in whatever form.
  bool present() const { return current != nullptr || project != nullptr || !members.empty(); }
};

struct PruneGuard;

// What a whole pass shares. Confined to it.
class PlanContext {
 public:
  PlanContext(const PlanInput& plan_input, std::shared_ptr<const HostIndexes> hosts)
      : input(plan_input), index(std::move(hosts), plan_input.installation) {}

  // Cached for the pass.
  const ServerFacts& Server(const std::string& name);

  const PlanInput& input;
  LiveIndex index;
  // Why nothing of an origin may be removed; set before rules are asked.
  const PruneGuard* guard = nullptr;

 private:
  // Behind pointers: facts refer to them while more are added.
  absl::flat_hash_map<std::string, std::unique_ptr<ServerFacts>> servers_;
};

// One resource at one moment. Points into the input; lives within a pass.
struct Facts {
  PlanContext& context;
  // A copy: facts of open steps outlive the pass over the subjects.
  const resources::ResourceId id;
  // "deployment/web".
  std::string key;
  Shape shape = Shape::kNone;
  const DesiredResource* desired = nullptr;
  const v1::InventoryEntry* inventory = nullptr;
  const v1::Hold* hold = nullptr;
  const FailedAttempt* attempt = nullptr;
  // NONE: nothing is under way.
  v1::StepAction busy = v1::STEP_ACTION_NONE;
  // Decided as if the declaration were still what was applied last.
  bool unapproved = false;
  Presence presence;
  Target target;
  // Where it is to be.
  std::string server_name;
  const ServerFacts* server = nullptr;
  std::string docker_name;
  Pair pair;
  HealthRules health;
  Vitals vitals;
  absl::string_view live_hash;
  bool hash_matches = false;
  bool unverified = false;

  const PlanInput& input() const { return context.input; }
  const HostLive* host() const { return server == nullptr ? nullptr : server->host; }
  absl::Duration clock_offset() const {
    return host() == nullptr ? absl::ZeroDuration() : host()->clock_offset;
  }
  // The spec was applied before: what differs now is drift.
  bool WasApplied() const {
    return inventory != nullptr && !target.hash.empty() && inventory->applied_hash() == target.hash;
  }
  // What was applied last was not to run, or has not been started since.
  bool WasAppliedStopped() const {
    return inventory != nullptr && inventory->has_applied() &&
           inventory->applied().state() != v1::WANTED_STATE_RUNNING;
  }
  // The spec was healthy once, or nobody remembers.
  bool IsProven() const { return inventory == nullptr || inventory->good_hash() == target.hash; }
};

// `id` must outlive the facts. Null when nothing declares, owns or labels the resource any more.
// With `unapproved` the spec applied last stands in; requires that there is one.
std::unique_ptr<Facts> GatherFacts(PlanContext& context, const resources::ResourceId& id,
                                   const DesiredResource* desired,
                                   const v1::InventoryEntry* inventory, bool unapproved = false);

// target.cc
Target ComputeTarget(const Facts& facts);
// A new spec that fails gives way to the last good one.
bool WantsRollback(const v1::Resource& declared);

// pair.cc
Pair ComputePair(const Facts& facts);

}  // namespace fairlead::sync
