// Which container plays which role.
#include <algorithm>
#include <tuple>

#include "absl/strings/match.h"

#include "sync/facts.h"

namespace fairlead::sync {
namespace {

constexpr absl::string_view kOldSuffix = ".fairlead-old";

// Of several: the one with the wanted hash and name, running, newest; the id settles the rest.
const v1::Container* ChooseCurrent(const Facts& facts,
                                   const std::vector<const v1::Container*>& candidates) {
  const auto rank = [&facts](const v1::Container* container) {
    return std::make_tuple(
        container->spec_hash() == facts.target.hash, container->name() == facts.docker_name,
        container->state() == v1::CONTAINER_STATE_RUNNING, container->created_at().seconds(),
        container->created_at().nanos(), absl::string_view(container->id()));
  };
  return *std::max_element(
      candidates.begin(), candidates.end(),
      [&rank](const v1::Container* a, const v1::Container* b) { return rank(a) < rank(b); });
}

void PairContainers(const Facts& facts, const OwnedOnHost& here, Pair& pair) {
  std::vector<const v1::Container*> candidates;
  if (here.containers.size() == 1 && !absl::EndsWith(here.containers[0]->name(), kOldSuffix)) {
    pair.current = here.containers[0];
  } else {
    for (const v1::Container* container : here.containers) {
      if (!absl::EndsWith(container->name(), kOldSuffix)) {
        candidates.push_back(container);
      } else if (pair.kept_old == nullptr) {
        pair.kept_old = container;
      } else {
        pair.extras.push_back(container);
      }
    }
    if (!candidates.empty()) pair.current = ChooseCurrent(facts, candidates);
  }
  for (const v1::Container* container : candidates) {
    if (container != pair.current) pair.extras.push_back(container);
  }
  if (pair.current != nullptr) pair.members.push_back(pair.current);
}

void PairServices(const OwnedOnHost& here, Pair& pair) {
  pair.project = here.project;
  for (const v1::Container* container : here.containers) {
    if (pair.project == nullptr) {
      pair.members.push_back(container);
      continue;
    }
    const auto& services = pair.project->services();
    const auto service = std::find_if(services.begin(), services.end(),
                                      [container](const v1::Project::Service& candidate) {
                                        return candidate.name() == container->compose_service();
                                      });
    if (service == services.end()) {
      pair.extras.push_back(container);
    } else if (!service->ignored()) {
      pair.members.push_back(container);
    }
  }
}

}  // namespace

Pair ComputePair(const Facts& facts) {
  Pair pair;
  for (const Presence::Place& place : facts.presence.places) {
    if (place.host->server != facts.server_name) {
      pair.elsewhere.push_back(place);
      continue;
    }
    pair.here = place.owned;
    if (facts.shape == Shape::kContainer) {
      PairContainers(facts, *place.owned, pair);
    } else {
      PairServices(*place.owned, pair);
    }
  }
  return pair;
}

}  // namespace fairlead::sync
