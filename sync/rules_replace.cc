// Rows 7 to 10: from what is there to what is declared.
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/field_table.h"
#include "sync/classify.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

// Sections of the configuration that are not as they were when the container was made.
std::vector<std::string> ChangedByHand(const Facts& facts) {
  std::vector<std::string> sections;
  const v1::Container* current = facts.pair.current;
  if (current == nullptr || facts.inventory == nullptr) return sections;
  const auto& recorded = facts.inventory->section_hash();
  if (recorded.empty() || current->section_hash().empty()) return sections;
  if (!facts.unverified && facts.inventory->applied_hash() != current->spec_hash()) return sections;
  for (const auto& [section, hash] : recorded) {
    const auto it = current->section_hash().find(section);
    if (it == current->section_hash().end() || it->second != hash) sections.push_back(section);
  }
  // The map has no order of its own.
  std::sort(sections.begin(), sections.end());
  return sections;
}

std::string SectionDrift(const Facts& facts, std::vector<std::string> sections) {
  const auto image = std::find(sections.begin(), sections.end(), "image");
  const std::string& reference = facts.target.spec->deployment().image().image().image();
  if (image != sections.end() && !reference.empty() && facts.pair.current->image() == reference) {
    *image = absl::StrCat("image (", reference, " is another one on the host now)");
  }
  return absl::StrCat("changed by hand: ", absl::StrJoin(sections, ", "));
}

int CountService(const Facts& facts, const std::string& service) {
  return static_cast<int>(std::count_if(
      facts.pair.members.begin(), facts.pair.members.end(),
      [&service](const v1::Container* member) { return member->compose_service() == service; }));
}

// ": networks"; empty when it is as it was made.
std::string MemberDrift(const v1::Container& member, const v1::Project::Service& service) {
  if (!member.changed_sections().empty()) {
    return absl::StrCat(": ", absl::StrJoin(member.changed_sections(), ", "));
  }
  const bool other = !member.spec_hash().empty() && !service.hash().empty() &&
                     member.spec_hash() != service.hash();
  return other ? ": its definition" : "";
}

// What of a stack's services is not as applied; empty: nothing.
std::string ServiceDrift(const Facts& facts) {
  if (facts.pair.project == nullptr) return "";
  std::vector<std::string> found;
  for (const v1::Project::Service& service : facts.pair.project->services()) {
    if (service.ignored()) continue;
    const int there = CountService(facts, service.name());
    if (there != service.replicas()) {
      found.push_back(absl::StrCat("service ", service.name(), ": ", there, " of ",
                                   service.replicas(), " containers"));
    }
    for (const v1::Container* member : facts.pair.members) {
      if (member->compose_service() != service.name()) continue;
      const std::string how = MemberDrift(*member, service);
      if (how.empty()) continue;
      found.push_back(absl::StrCat("service ", service.name(), ": changed by hand", how));
      break;
    }
  }
  std::sort(found.begin(), found.end());
  return absl::StrJoin(found, ", ");
}

// The dependency that was applied anew since the resource was, if it asks for that.
std::string RedeployedDependency(const Facts& facts) {
  if (!facts.target.wish->restart_with_dependency() || facts.inventory == nullptr ||
      facts.target.uses_good_spec) {
    return "";
  }
  for (const ResourceId& dependency : facts.desired->after) {
    const std::string name = dependency.ToString();
    const auto seen = facts.inventory->dependency_hash().find(name);
    if (seen == facts.inventory->dependency_hash().end()) continue;
    const auto entry = facts.input().inventory.find(name);
    if (entry == facts.input().inventory.end()) continue;
    if (entry->second->applied_hash() != seen->second) return name;
  }
  return "";
}

std::string DiffersReason(const Facts& facts) {
  if (facts.shape == Shape::kProject && facts.pair.project == nullptr) {
    return "the host has no record of what was applied";
  }
  if (facts.target.uses_good_spec) return "back to the last good spec";
  if (facts.shape == Shape::kProject && facts.live_hash.empty()) {
    return "was not applied completely";
  }
  return "spec hash differs";
}

// Something of the project should be there and nothing is.
bool IsEmptyProject(const Facts& facts) {
  if (!facts.pair.members.empty()) return false;
  if (facts.pair.project == nullptr) return true;
  for (const v1::Project::Service& service : facts.pair.project->services()) {
    if (!service.ignored() && service.replicas() > 0) return true;
  }
  return false;
}

}  // namespace

bool DecideMove(const Facts& facts, Decision& decision) {
  if (facts.target.held || facts.pair.present()) return false;
  if (!facts.pair.elsewhere.empty()) {
    const Presence::Place& place = facts.pair.elsewhere.front();
    decision.from_server = place.host->server;
    for (const v1::Container* container : place.owned->containers) {
      decision.container_ids.push_back(container->id());
    }
    if (!place.host->online || !place.host->engine_up) {
      Block(decision, v1::Gate::KIND_SERVER, v1::CONDITION_BLOCKED,
            absl::StrCat("it is on ", place.host->server, ", which is offline"));
    } else {
      Act(decision, v1::STEP_ACTION_MOVE,
          absl::StrCat("moves from ", place.host->server, " to ", facts.server_name));
    }
    return true;
  }
  if (facts.inventory == nullptr || facts.inventory->server().empty() ||
      facts.inventory->server() == facts.server_name) {
    return false;
  }
  // Nothing is seen there, but nobody can look either.
  const ServerFacts& old = facts.context.Server(facts.inventory->server());
  const bool online = old.host != nullptr && old.host->online;
  if (!old.declared || (online && old.host->engine_up)) return false;
  decision.from_server = facts.inventory->server();
  Block(decision, v1::Gate::KIND_SERVER, v1::CONDITION_BLOCKED,
        absl::StrCat("it was applied on ", facts.inventory->server(),
                     online ? ", where docker does not answer" : ", which is offline"));
  return true;
}

bool DecideMissing(const Facts& facts, Decision& decision) {
  const bool missing =
      facts.shape == Shape::kContainer ? facts.pair.current == nullptr : IsEmptyProject(facts);
  if (!missing) return false;
  if (facts.target.held) {
    Rest(decision, v1::CONDITION_STOPPED, "held; nothing is there");
    return true;
  }
  decision.heal = facts.WasApplied() || facts.target.invalid;
  // Taken from its old place, and not made at its new one yet.
  const bool is_moving = facts.inventory != nullptr && facts.inventory->has_applied() &&
                         !facts.inventory->has_applied_at();
  if (decision.heal && !facts.target.wish->heal() && !is_moving) {
    Report(decision, "was removed");
    decision.condition = v1::CONDITION_MISSING;
    decision.degraded = true;
    return true;
  }
  Act(decision, v1::STEP_ACTION_CREATE,
      !decision.heal ? "missing"
      : is_moving    ? "moves here"
                     : "was removed");
  return true;
}

bool DecideDiffers(const Facts& facts, Decision& decision) {
  if (facts.target.held) return false;
  if (!facts.hash_matches && facts.target.paused) {
    Block(decision, v1::Gate::KIND_HOLD, v1::CONDITION_STOPPED,
          absl::StrCat("paused by ", facts.hold->who(), ": ", facts.hold->why(),
                       "; another spec waits for the release"));
    return true;
  }
  if (!facts.hash_matches) {
    decision.heal = facts.target.invalid;
    Act(decision, v1::STEP_ACTION_REPLACE, DiffersReason(facts));
    return true;
  }
  const std::vector<std::string> sections = ChangedByHand(facts);
  std::string drift = sections.empty() ? ServiceDrift(facts) : SectionDrift(facts, sections);
  if (!drift.empty()) {
    decision.heal = true;
    if (facts.target.wish->heal()) {
      Act(decision, v1::STEP_ACTION_REPLACE, std::move(drift));
    } else {
      Report(decision, drift);
    }
    return true;
  }
  const std::string dependency = RedeployedDependency(facts);
  if (dependency.empty()) return false;
  Act(decision, v1::STEP_ACTION_REPLACE, absl::StrCat(dependency, " was redeployed"));
  return true;
}

bool DecideLiveField(const Facts& facts, Decision& decision) {
  if (facts.target.held || facts.shape != Shape::kContainer) return false;
  const v1::RestartMode mode = facts.target.spec->deployment().restart();
  const absl::string_view wanted = resources::TextOf(mode);
  const std::string& live = facts.pair.current->restart_policy();
  if (live == wanted || (live.empty() && wanted == "no")) return false;
  decision.heal = facts.WasApplied() && facts.inventory->has_applied() &&
                  facts.inventory->applied().deployment().restart() == mode;
  std::string reason = absl::StrCat("restart policy ", live.empty() ? "no" : live, " -> ", wanted);
  if (decision.heal && !facts.target.wish->heal()) {
    Report(decision, reason);
    return true;
  }
  decision.satisfied = facts.vitals.IsWell();
  Act(decision, v1::STEP_ACTION_UPDATE, std::move(reason));
  return true;
}

}  // namespace fairlead::sync
