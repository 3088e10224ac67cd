#include "sync/step.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "sync/classify.h"

namespace fairlead::sync {
namespace {

bool Runs(const v1::Container& container) {
  return container.state() == v1::CONTAINER_STATE_RUNNING ||
         container.state() == v1::CONTAINER_STATE_PAUSED ||
         container.state() == v1::CONTAINER_STATE_RESTARTING;
}

template <typename Containers>
void AddRunning(const Containers& containers, std::set<std::string>& names) {
  for (const v1::Container* container : containers) {
    if (Runs(*container)) names.insert(container->name());
  }
}

// Names of the containers that the step stops.
std::set<std::string> StoppedBy(const Facts& facts, const Decision& decision) {
  std::set<std::string> names;
  switch (decision.action) {
    case v1::STEP_ACTION_REPLACE:
    case v1::STEP_ACTION_STOP:
    case v1::STEP_ACTION_RESTART:
    case v1::STEP_ACTION_ROLLBACK:
      AddRunning(facts.pair.members, names);
      break;
    case v1::STEP_ACTION_FINISH:
      if (facts.pair.OldServes()) names.insert(facts.pair.kept_old->name());
      break;
    case v1::STEP_ACTION_REMOVE_EXTRA:
      if (decision.server == facts.server_name) {
        AddRunning(facts.pair.extras, names);
        break;
      }
      [[fallthrough]];
    case v1::STEP_ACTION_MOVE:
      for (const Presence::Place& place : facts.pair.elsewhere) {
        const bool concerned =
            decision.action == v1::STEP_ACTION_MOVE || place.host->server == decision.server;
        if (concerned) AddRunning(place.owned->containers, names);
      }
      break;
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_DESTROY:
      for (const Presence::Place& place : facts.presence.places) {
        if (place.host->server == decision.server) AddRunning(place.owned->containers, names);
      }
      break;
    default:
      break;
  }
  return names;
}

// Seconds that such a step took the last time; 0 when not known.
double ExpectedSeconds(const Facts& facts, const Decision& decision) {
  if (facts.inventory == nullptr) return 0;
  const auto& known = facts.inventory->step_seconds();
  const auto seconds = known.find(decision.action);
  return seconds == known.end() ? 0 : seconds->second;
}

std::string PortsText(const Facts& facts) {
  if (facts.pair.current == nullptr) return "";
  std::set<std::string> ports;
  for (const std::string& port : facts.pair.current->host_ports()) {
    ports.insert(port.substr(0, port.find('/')));
  }
  if (ports.empty()) return "";
  return absl::StrCat(ports.size() == 1 ? " (port " : " (ports ", absl::StrJoin(ports, ", "),
                      ports.size() == 1 ? " is fixed)" : " are fixed)");
}

// The successor starts while the old container serves.
bool StartsFirst(const Facts& facts, const Decision& decision) {
  return decision.action == v1::STEP_ACTION_REPLACE && facts.target.spec != nullptr &&
         facts.target.spec->deployment().strategy() == v1::STRATEGY_START_FIRST &&
         facts.pair.current != nullptr && Runs(*facts.pair.current) &&
         facts.pair.current->name() == facts.docker_name && facts.pair.kept_old == nullptr;
}

// Something of the resource serves at every moment of the step.
bool Overlaps(const Facts& facts, const Decision& decision) {
  switch (decision.action) {
    case v1::STEP_ACTION_REPLACE:
      return StartsFirst(facts, decision);
    case v1::STEP_ACTION_FINISH:
      return facts.pair.OldServes() && facts.vitals.IsWell();
    case v1::STEP_ACTION_ROLLBACK:
      return facts.pair.OldServes();
    default:
      return decision.action == v1::STEP_ACTION_REMOVE_EXTRA;
  }
}

std::string Sentence(const Facts& facts, const Decision& decision,
                     const std::set<std::string>& stops, double seconds) {
  const std::string names = absl::StrJoin(stops, ", ");
  switch (decision.action) {
    case v1::STEP_ACTION_REPLACE: {
      if (facts.shape == Shape::kProject) {
        return "recreates the services that changed; the others stay";
      }
      if (StartsFirst(facts, decision)) {
        return absl::StrCat("starts the new container beside ", names,
                            ", which serves until it is healthy");
      }
      if (stops.empty()) return "nothing runs that would stop";
      const std::string time =
          seconds > 0 ? absl::StrCat(" for about ", std::round(seconds * 10) / 10, " s") : "";
      return absl::StrCat("stops ", names, time, PortsText(facts),
                          "; the old container is kept until the new one is healthy");
    }
    case v1::STEP_ACTION_FINISH:
      return stops.empty() ? ""
                           : absl::StrCat("gives the name ", facts.docker_name,
                                          " to the new container, then stops the old one");
    case v1::STEP_ACTION_ROLLBACK:
      if (!facts.pair.OldServes()) return "removes the new container and starts the old one again";
      return facts.pair.current == nullptr ? ""
                                           : "removes the new container; the old one serves on";
    case v1::STEP_ACTION_MOVE:
      return absl::StrCat(stops.empty() ? "" : absl::StrCat("stops ", names, "; "), "removed on ",
                          decision.from_server, ", then created on ", decision.server,
                          "; volumes stay where they are");
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_DESTROY:
      return stops.empty() ? "volumes stay" : absl::StrCat("stops ", names, "; volumes stay");
    case v1::STEP_ACTION_STOP:
    case v1::STEP_ACTION_RESTART:
    case v1::STEP_ACTION_REMOVE_EXTRA:
      return stops.empty() ? "" : absl::StrCat("stops ", names);
    default:
      return "";
  }
}

void FillImpact(const Facts& facts, const Decision& decision, v1::Step& step) {
  const std::set<std::string> stops = StoppedBy(facts, decision);
  const double seconds = ExpectedSeconds(facts, decision);
  std::string sentence = Sentence(facts, decision, stops, seconds);
  if (stops.empty() && sentence.empty() && seconds <= 0) return;
  v1::Impact* impact = step.mutable_impact();
  impact->set_interrupts(!stops.empty() && !Overlaps(facts, decision));
  for (const std::string& name : stops) impact->add_stops(name);
  impact->set_sentence(std::move(sentence));
  if (seconds <= 0) return;
  const double whole = std::floor(seconds);
  impact->mutable_expected()->set_seconds(static_cast<int64_t>(whole));
  impact->mutable_expected()->set_nanos(static_cast<int32_t>((seconds - whole) * 1e9));
}

std::string SyncNameOf(const Facts& facts) {
  if (facts.desired != nullptr) return facts.desired->sync;
  if (facts.inventory == nullptr) return "";
  constexpr absl::string_view kPrefix = "resource_sync/";
  const std::string& origin = facts.inventory->origin();
  return absl::StartsWith(origin, kPrefix) ? origin.substr(kPrefix.size()) : origin;
}

}  // namespace

bool ShowsChanges(const Facts& facts, const Decision& decision) {
  if (decision.heal || facts.desired == nullptr || facts.desired->spec == nullptr) return false;
  if (facts.inventory == nullptr || !facts.inventory->has_applied()) return false;
  if (facts.target.uses_good_spec) return false;
  return decision.action == v1::STEP_ACTION_REPLACE || decision.action == v1::STEP_ACTION_UPDATE ||
         decision.action == v1::STEP_ACTION_MOVE;
}

v1::Step MakeStep(const Facts& facts, const Decision& decision) {
  v1::Step step;
  step.set_resource(facts.key);
  step.set_action(decision.action);
  step.set_reason(decision.reason);
  step.set_rule(decision.rule);
  if (decision.gate.kind() != v1::Gate::KIND_OPEN) *step.mutable_gate() = decision.gate;
  step.set_server(decision.server);
  step.set_sync(SyncNameOf(facts));
  step.set_revision(RevisionOf(facts.input(), facts.desired, facts.inventory));
  step.set_target_hash(decision.target_hash);
  step.set_live_hash(decision.live_hash);
  step.set_heal(decision.heal);
  if (const HostLive* host = facts.context.Server(decision.server).host; host != nullptr) {
    step.set_live_generation(host->generation);
  }
  for (const std::string& id : decision.container_ids) step.add_container_ids(id);
  FillImpact(facts, decision, step);
  return step;
}

}  // namespace fairlead::sync
