#include "integration/simulation/invariants.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"

namespace fairlead::simulation {
namespace {

// A change of an engine takes so long to be seen by the controller.
constexpr absl::Duration kSeenAfter = absl::Seconds(4);

const sync::Decision* DecisionOf(const loop::LoopView& view, const std::string& name) {
  const auto found = view.result.decisions.find(resources::ResourceId{"deployment", name});
  return found == view.result.decisions.end() ? nullptr : found->second.get();
}

const v1::Step* StepOf(const loop::LoopView& view, const std::string& name) {
  const auto found = view.result.step_index.find(resources::ResourceId{"deployment", name});
  return found == view.result.step_index.end() ? nullptr : &view.result.plan.steps(found->second);
}

// Its spec was tried and has failed, or the last attempt did and is repeated ever more rarely.
bool IsStuck(const v1::Step* step) {
  return step != nullptr && (step->gate().kind() == v1::Gate::KIND_BACKOFF ||
                             step->gate().kind() == v1::Gate::KIND_FAILED);
}

// A gate that only somebody else opens: another resource, a person, a commit.
bool WaitsForOthers(v1::Gate::Kind gate) {
  return gate == v1::Gate::KIND_AFTER || gate == v1::Gate::KIND_HOLD ||
         gate == v1::Gate::KIND_GUARD || gate == v1::Gate::KIND_NAME_TAKEN ||
         gate == v1::Gate::KIND_RESOURCE || gate == v1::Gate::KIND_PREFLIGHT;
}

std::string Unrest(const World& world, const loop::LoopView& view, const sync::Decision& decision) {
  if (decision.condition == v1::CONDITION_UNKNOWN) return "unknown";
  if (decision.id.kind != "deployment") return "";
  const auto wish = world.committed().find(decision.id.name);
  const bool may_be_well = wish != world.committed().end() && wish->second.CanBeWell();
  const v1::Step* const step = StepOf(view, decision.id.name);
  if (IsStuck(step) && !may_be_well) return "";
  if (decision.condition == v1::CONDITION_PROGRESSING) return "progressing";
  if (step != nullptr && step->gate().kind() == v1::Gate::KIND_BACKOFF) return "backoff";
  if (step != nullptr && step->gate().kind() == v1::Gate::KIND_BUSY) return "busy";
  if (decision.open_step && !WaitsForOthers(decision.gate.kind())) return "open step";
  return "";
}

void CheckLive(World& world, const loop::LoopView& view, AgentNode& node) {
  Stage& stage = world.stage();
  const auto found = view.input.live->hosts.find(node.name());
  if (found == view.input.live->hosts.end()) return stage.Violate(node.name(), " is not known");
  const sync::HostLive& live = *found->second;
  std::set<std::string> there;
  for (const auto& [id, container] : node.host().engine.containers()) {
    there.insert(id);
    if (container.changed + kSeenAfter > stage.timeline.now()) continue;
    const auto said = live.containers.find(id);
    if (said == live.containers.end()) {
      stage.Violate(node.name(), ": the controller does not see ", container.name);
      continue;
    }
    const v1::Container& seen = *said->second;
    std::string state = v1::ContainerState_Name(seen.state()).substr(16);
    absl::AsciiStrToLower(&state);
    const bool owned = !container.Label(agent::kResourceLabel).empty();
    if (state != container.status || seen.name() != container.name ||
        seen.spec_hash() != container.Label(agent::kSpecHashLabel) ||
        seen.action() != container.Label(agent::kActionLabel) ||
        (owned && seen.restart_policy() != container.Policy())) {
      stage.Violate(node.name(), ": the controller sees ", seen.name(), " ", state, ", but it is ",
                    container.name, " ", container.status, ", policy ", container.Policy(),
                    " seen as ", seen.restart_policy());
    }
  }
  for (const auto& [id, container] : live.containers) {
    if (!there.contains(id)) {
      stage.Violate(node.name(), ": the controller sees ", container->name(), ", which is gone");
    }
  }
}

// Another resource keeps it from its place, as its declaration asks.
bool WaitsForAnother(const World& world, const loop::LoopView& view, const Wish& wish) {
  for (const std::string& name : wish.after) {
    if (!world.committed().contains(name)) continue;
    const sync::Decision* const other = DecisionOf(view, name);
    if (other == nullptr || !other->satisfied || other->degraded) return true;
  }
  return false;
}

// A change that belongs together cannot be made whole: one of it cannot be well.
bool WaitsForItsGroup(const World& world, const sync::Decision& decision) {
  if (decision.gate.kind() != v1::Gate::KIND_PREFLIGHT) return false;
  return std::any_of(
      decision.gate.on().begin(), decision.gate.on().end(), [&](const std::string& resource) {
        const auto other = world.committed().find(resource.substr(resource.find('/') + 1));
        return other != world.committed().end() && !other->second.CanBeWell();
      });
}

// Why the wish need not be well; empty: it must be.
std::string ExcuseOf(const World& world, const loop::LoopView& view, const Wish& wish,
                     const sync::Decision& decision) {
  const std::string resource = absl::StrCat("deployment/", wish.name);
  if (!wish.CanBeWell()) return "it cannot be well";
  if (view.input.holds.contains(resource)) return "held";
  if (WaitsForAnother(world, view, wish)) return "waits for another";
  if (WaitsForItsGroup(world, decision)) return "waits for its group";
  const auto failed = view.input.failed_specs.find(resource);
  const auto desired = view.input.desired->resources.find(decision.id);
  if (failed != view.input.failed_specs.end() && desired != view.input.desired->resources.end() &&
      failed->second.contains(desired->second->spec_hash)) {
    return "its spec has failed in the storm";
  }
  const auto attempt = view.input.failed_attempts.find(resource);
  if (attempt != view.input.failed_attempts.end() &&
      absl::StartsWith(attempt->second.message, "cancelled by ")) {
    return "cancelled by an operator";
  }
  return "";
}

bool IsServed(v1::Condition condition) {
  return condition == v1::CONDITION_CONVERGED || condition == v1::CONDITION_COMPLETED;
}

void CheckServes(World& world, const Wish& wish, const sync::Decision& decision) {
  Stage& stage = world.stage();
  int count = 0;
  for (const std::unique_ptr<AgentNode>& node : world.nodes()) {
    const Engine::Container* const container = node->host().engine.Find(wish.name);
    if (container == nullptr || container->Label(agent::kResourceLabel).empty()) continue;
    ++count;
    if (node->name() != wish.server) {
      stage.Violate(wish.name, " is on ", node->name(), ", wanted on ", wish.server);
    }
    // A stop that nobody could watch looks like an end of its own, which such a policy accepts.
    const bool ended = decision.condition == v1::CONDITION_COMPLETED &&
                       (wish.restart == "no" || wish.restart == "on-failure") &&
                       container->exit_code == 0;
    const bool runs = container->status == (ended ? "exited" : "running");
    if (!runs) stage.Violate(wish.name, " is converged, but ", container->status);
    if (container->Image() != wish.Image()) {
      stage.Violate(wish.name, " runs ", container->Image(), ", wanted ", wish.Image());
    }
    if (container->Policy() != wish.restart) {
      stage.Violate(wish.name, " has policy ", container->Policy(), ", wanted ", wish.restart);
    }
    if (container->Label(agent::kSpecHashLabel) != decision.target_hash) {
      stage.Violate(wish.name, " is converged with another spec hash");
    }
  }
  if (count != 1) stage.Violate(wish.name, " is converged with ", count, " containers");
}

void CheckWish(World& world, const loop::LoopView& view, const Wish& wish) {
  Stage& stage = world.stage();
  const sync::Decision* const decision = DecisionOf(view, wish.name);
  if (decision == nullptr) return stage.Violate(wish.name, " is committed, but not decided on");
  const std::string condition = v1::Condition_Name(decision->condition).substr(10);
  const bool calm = IsServed(decision->condition);
  if (!calm && decision->reason.empty() && decision->gate.reason().empty()) {
    stage.Violate(wish.name, " is ", condition, " without a reason");
  }
  const std::string excuse = ExcuseOf(world, view, wish, *decision);
  stage.Count(
      absl::StrCat("rest ", excuse.empty() ? condition : absl::StrCat(condition, ", ", excuse)));
  if (wish.spoilt) {
    // Its last good spec may be in trouble of its own.
    if (calm) {
      stage.Violate(wish.name, " has a mistake, but is ", condition);
    }
    return;
  }
  if (!excuse.empty()) return;
  if (wish.state == "running") {
    if (!calm) {
      stage.Violate(wish.name, " is ", condition, ": ", decision->reason, " ",
                    decision->gate.reason());
    }
    if (calm) CheckServes(world, wish, *decision);
  } else if (decision->condition != v1::CONDITION_STOPPED) {
    stage.Violate(wish.name, " is wanted ", wish.state, ", but is ", condition, ": ",
                  decision->reason);
  }
}

void CheckOwned(World& world, const loop::LoopView& view, const AgentNode& node) {
  Stage& stage = world.stage();
  const bool has_mistake = std::any_of(world.committed().begin(), world.committed().end(),
                                       [](const auto& wish) { return wish.second.spoilt; });
  for (const auto& [id, container] : node.host().engine.containers()) {
    const std::string resource = container.Label(agent::kResourceLabel);
    if (resource.empty()) continue;
    const std::string name = resource.substr(resource.find('/') + 1);
    const auto wish = world.committed().find(name);
    const sync::Decision* const decision = DecisionOf(view, name);
    if (decision == nullptr) {
      stage.Violate(node.name(), ": orphan ", container.name, " that nothing is decided on");
      continue;
    }
    const std::string why = absl::StrCat(decision->reason, decision->gate.reason());
    if (wish == world.committed().end()) {
      // A mistake in the files keeps what may only seem to be gone.
      const bool guarded = decision->gate.kind() == v1::Gate::KIND_GUARD &&
                           (absl::StrContains(why, "would remove") || has_mistake);
      // Made or shown again by the engine after all was over: never removed on a mere label.
      const bool denied =
          container.deceptive && decision->condition == v1::CONDITION_ORPHANED && !why.empty();
      if (!guarded && !denied) stage.Violate(node.name(), ": orphan ", container.name, ": ", why);
      continue;
    }
    const std::string excuse = ExcuseOf(world, view, wish->second, *decision);
    if (wish->second.state == "absent" && excuse.empty()) {
      stage.Violate(node.name(), ": ", container.name, " is there, wanted absent");
    }
    const bool extra = container.name != name;
    if (extra && excuse.empty()) {
      stage.Violate(node.name(), ": ", container.name, " is left of ", name, ": ", why);
    }
  }
}

void CheckBystander(World& world, const AgentNode& node) {
  const Engine::Container* const bystander = node.host().engine.Find(Fleet::kForeignName);
  if (bystander == nullptr || bystander->status != "running" ||
      bystander->Image() != "app:foreign" || bystander->restart_count != 0) {
    world.stage().Violate(node.name(), ": the bystander is not as it was");
  }
}

}  // namespace

std::string WhyNotAtRest(World& world) {
  for (const std::unique_ptr<AgentNode>& node : world.nodes()) {
    if (!node->host().up) return absl::StrCat(node->name(), ": engine down");
    if (!node->idle()) return absl::StrCat(node->name(), ": agent busy or away");
  }
  if (!world.controller().idle()) return "controller busy or away";
  if (world.store().open_actions() > 0) return "open actions";
  const std::shared_ptr<const loop::LoopView> view = world.controller().View();
  if (view == nullptr) return "nothing planned";
  const auto source = view->input.desired->sources.find("resource_sync/main");
  if (source == view->input.desired->sources.end() ||
      source->second.revision != world.remote().head()) {
    return "the head is not in force";
  }
  for (const auto& [id, decision] : view->result.decisions) {
    const std::string unrest = Unrest(world, *view, *decision);
    if (!unrest.empty()) {
      return absl::StrCat(id.ToString(), ": ", unrest, ": ", decision->reason, " ",
                          decision->gate.reason());
    }
  }
  return "";
}

bool IsAtRest(World& world) { return WhyNotAtRest(world).empty(); }

void CheckAtRest(World& world) {
  const std::shared_ptr<const loop::LoopView> view = world.controller().View();
  for (const std::unique_ptr<AgentNode>& node : world.nodes()) {
    CheckLive(world, *view, *node);
    CheckOwned(world, *view, *node);
    CheckBystander(world, *node);
  }
  for (const auto& [name, wish] : world.committed()) CheckWish(world, *view, wish);
}

}  // namespace fairlead::simulation
