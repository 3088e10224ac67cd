// Rows 1 to 5: is it declared, reachable, ours to act on, and wanted at all.
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "resources/container_spec.h"
#include "sync/classify.h"
#include "sync/prune_guard.h"

namespace fairlead::sync {
namespace {

void AddIds(const OwnedOnHost& owned, Decision& decision) {
  for (const v1::Container* container : owned.containers) {
    decision.container_ids.push_back(container->id());
  }
}

// Why no action can be sent to the server; empty: it can.
struct Obstacle {
  std::string reason;
  v1::Condition condition = v1::CONDITION_BLOCKED;
};
Obstacle ObstacleOf(const std::string& name, const ServerFacts& server) {
  if (!server.declared) return {absl::StrCat("server ", name, " is not declared")};
  if (!server.enabled) return {absl::StrCat("server ", name, " is disabled")};
  if (server.host == nullptr || !server.host->online) {
    return {absl::StrCat("server ", name, " is offline"), v1::CONDITION_UNKNOWN};
  }
  if (!server.host->engine_up) {
    return {absl::StrCat("docker on ", name, " does not answer: ", server.host->engine_error),
            v1::CONDITION_UNKNOWN};
  }
  return {};
}

void ForgetOrWait(const Facts& facts, Decision& decision) {
  // A server may be missing because a file could not be read: then nothing follows from it.
  for (const auto& [origin, source] : facts.input().desired->sources) {
    if (source.prune_blocker.empty()) continue;
    Block(decision, v1::Gate::KIND_GUARD, v1::CONDITION_BLOCKED,
          absl::StrCat("its server ", facts.server_name, " is not declared; ", source.name, ": ",
                       source.prune_blocker));
    return;
  }
  Act(decision, v1::STEP_ACTION_FORGET,
      facts.server_name.empty()
          ? std::string("declared nowhere, and on no server")
          : absl::StrCat("its server ", facts.server_name,
                         " is not declared any more: dropped, what runs there is left alone"),
      v1::CONDITION_ORPHANED);
}

// Until then what was made may be there although no look at the host has shown it yet: the one
// after the action may have failed, and the next whole look is up to a minute away.
absl::Time MayBeUnseenUntil(const v1::InventoryEntry& entry) {
  const bool was_seen = !entry.section_hash().empty();
  if (was_seen || entry.container_id().empty()) return absl::InfinitePast();
  return base::FromProto(entry.applied_at()) + absl::Minutes(2);
}

void PruneIfAllowed(const Facts& facts, Decision& decision) {
  const Obstacle obstacle = ObstacleOf(facts.server_name, *facts.server);
  if (!obstacle.reason.empty()) {
    Block(decision, v1::Gate::KIND_SERVER, obstacle.condition, obstacle.reason);
    return;
  }
  const absl::string_view blocker = facts.context.guard->BlockerOf(facts.inventory->origin());
  if (!blocker.empty()) {
    Block(decision, v1::Gate::KIND_GUARD, v1::CONDITION_BLOCKED, std::string(blocker));
    return;
  }
  if (facts.pair.here == nullptr) {
    const absl::Time until = MayBeUnseenUntil(*facts.inventory);
    if (facts.input().now < until) {
      Act(decision, v1::STEP_ACTION_WAIT, "declared nowhere, and not seen since it was made",
          v1::CONDITION_PROGRESSING);
      SetUntil(decision, v1::Gate::KIND_BACKOFF, until,
               "waits for a look at the host that shows it");
      return;
    }
    Act(decision, v1::STEP_ACTION_FORGET, "declared nowhere, and nothing is left of it",
        v1::CONDITION_ORPHANED);
    return;
  }
  AddIds(*facts.pair.here, decision);
  Act(decision, v1::STEP_ACTION_PRUNE, "declared nowhere");
}

// The container of the name, ours or not.
const v1::Container* FindByName(const Facts& facts) {
  const auto& names = facts.context.index.Names(*facts.host()).by_name;
  const auto it = names.find(facts.docker_name);
  return it == names.end() ? nullptr : it->second;
}

Vitals ObservedVitals(const Facts& facts) {
  if (!facts.pair.members.empty()) return facts.vitals;
  if (facts.shape == Shape::kContainer) {
    const v1::Container* container = FindByName(facts);
    if (container == nullptr) return facts.vitals;
    return ComputeVitals({&container, 1}, facts.health, facts.clock_offset(), facts.input().now);
  }
  const auto& projects = facts.context.index.Names(*facts.host()).foreign_projects;
  const auto it = projects.find(facts.docker_name);
  if (it == projects.end()) return facts.vitals;
  return ComputeVitals(it->second, facts.health, facts.clock_offset(), facts.input().now);
}

// The image that a deployment declares; empty for others.
std::string WantedImage(const v1::Resource& spec) {
  return spec.has_deployment() ? spec.deployment().image().image().image() : "";
}

void DecideForeign(const Facts& facts, const v1::Container& foreign, Decision& decision) {
  const std::string image = WantedImage(*facts.target.spec);
  if (!facts.target.wish->adopt()) {
    Block(decision, v1::Gate::KIND_NAME_TAKEN, v1::CONDITION_BLOCKED,
          absl::StrCat("name taken: container ", foreign.id(), " (", foreign.image(),
                       ") holds the name ", facts.docker_name));
    decision.container_ids.push_back(foreign.id());
    return;
  }
  if (foreign.image() != image) {
    Block(decision, v1::Gate::KIND_NAME_TAKEN, v1::CONDITION_BLOCKED,
          absl::StrCat("cannot adopt container ", foreign.id(), ": it runs ", foreign.image(),
                       ", declared is ", image));
    decision.container_ids.push_back(foreign.id());
    return;
  }
  decision.container_ids.push_back(foreign.id());
  Act(decision, v1::STEP_ACTION_ADOPT,
      absl::StrCat("container ", foreign.id(), " is taken over as it is"));
}

}  // namespace

bool DecideUndeclared(const Facts& facts, Decision& decision) {
  if (facts.desired != nullptr) return false;
  if (facts.inventory == nullptr) {
    if (!facts.presence.places.empty()) {
      decision.server = facts.presence.places.front().host->server;
    }
    Rest(decision, v1::CONDITION_ORPHANED,
         "labelled as ours, but declared nowhere and not in the inventory: left alone");
    return true;
  }
  const absl::string_view general = facts.context.guard->general;
  if (!general.empty()) {
    Block(decision, v1::Gate::KIND_GUARD, v1::CONDITION_BLOCKED,
          absl::StrCat("declared nowhere so far; ", general));
    return true;
  }
  if (facts.server == nullptr || !facts.server->declared) {
    ForgetOrWait(facts, decision);
    return true;
  }
  const auto source = facts.input().desired->sources.find(facts.inventory->origin());
  if (source == facts.input().desired->sources.end()) {
    Rest(decision, v1::CONDITION_ORPHANED,
         absl::StrCat("declared nowhere; its source ", facts.inventory->origin(),
                      " does not exist any more"));
  } else if (!source->second.prune) {
    Rest(decision, v1::CONDITION_ORPHANED, "declared nowhere; delete = false keeps it");
  } else {
    PruneIfAllowed(facts, decision);
  }
  return true;
}

bool DecideUnreachable(const Facts& facts, Decision& decision) {
  if (facts.target.spec == nullptr) {
    // The error itself is shown by the caller.
    Rest(decision, v1::CONDITION_INVALID);
    return true;
  }
  static const ServerFacts* const kUnknown = new ServerFacts();
  const Obstacle obstacle =
      ObstacleOf(facts.server_name, facts.server == nullptr ? *kUnknown : *facts.server);
  if (obstacle.reason.empty()) return false;
  Block(decision, v1::Gate::KIND_SERVER, obstacle.condition, obstacle.reason);
  return true;
}

bool DecideObserved(const Facts& facts, Decision& decision) {
  const v1::Resource& wish = *facts.target.wish;
  const bool asked = facts.input().deploy_requests.contains(facts.key);
  if ((wish.deploy() || asked) && !wish.template_()) return false;
  if (wish.template_()) {
    Rest(decision, v1::CONDITION_OBSERVED, "a template is not deployed");
    return true;
  }
  const Vitals vitals = ObservedVitals(facts);
  const v1::Container* worst = vitals.worst();
  decision.satisfied = vitals.healthy + vitals.completed > 0 && vitals.IsWell();
  decision.wake_at = vitals.ready_at;
  Rest(decision, v1::CONDITION_OBSERVED,
       decision.satisfied ? std::string("deploy = false; it is well")
       : worst == nullptr
           ? std::string("deploy = false; nothing of it is there")
           : absl::StrCat("deploy = false; ", worst->name(), " ", DescribeContainer(*worst)));
  return true;
}

bool DecideNameTaken(const Facts& facts, Decision& decision) {
  if (facts.target.state == v1::WANTED_STATE_ABSENT || facts.target.held) return false;
  if (facts.shape == Shape::kProject) {
    if (facts.pair.present()) return false;
    const auto& projects = facts.context.index.Names(*facts.host()).foreign_projects;
    const auto it = projects.find(facts.docker_name);
    if (it == projects.end()) return false;
    for (const v1::Container* container : it->second) {
      decision.container_ids.push_back(container->id());
    }
    if (facts.target.wish->adopt()) {
      Act(decision, v1::STEP_ACTION_ADOPT,
          absl::StrCat("compose project ", facts.docker_name, " is taken over as it is"));
      return true;
    }
    Block(decision, v1::Gate::KIND_NAME_TAKEN, v1::CONDITION_BLOCKED,
          absl::StrCat("name taken: compose project ", facts.docker_name,
                       " has containers that are not ours, such as ", it->second.front()->name()));
    return true;
  }
  // Only what is about to take the name asks.
  const bool takes_name = facts.pair.current == nullptr ||
                          (!facts.hash_matches && facts.pair.current->name() != facts.docker_name);
  if (!takes_name) return false;
  const v1::Container* holder = FindByName(facts);
  if (holder == nullptr || facts.context.index.IsOurs(*holder)) return false;
  DecideForeign(facts, *holder, decision);
  return true;
}

bool DecideAbsent(const Facts& facts, Decision& decision) {
  if (facts.target.state != v1::WANTED_STATE_ABSENT) return false;
  if (facts.pair.here != nullptr) {
    AddIds(*facts.pair.here, decision);
    Act(decision, v1::STEP_ACTION_DESTROY, "state = \"absent\"");
    return true;
  }
  for (const Presence::Place& place : facts.pair.elsewhere) {
    if (!place.host->online) continue;
    AddIds(*place.owned, decision);
    decision.server = place.host->server;
    Act(decision, v1::STEP_ACTION_DESTROY,
        absl::StrCat("state = \"absent\"; it is on ", place.host->server));
    return true;
  }
  Rest(decision, v1::CONDITION_STOPPED, "state = \"absent\"");
  return true;
}

}  // namespace fairlead::sync
