// Which container plays which role.
#include <algorithm>
#include <tuple>

#include "absl/container/inlined_vector.h"

#include "resources/replacement_names.h"
#include "sync/facts.h"

namespace fairlead::sync {
namespace {

using Candidates = absl::InlinedVector<const v1::Container*, 2>;
using resources::ReplacementPart;

// Of several: the one with the wanted hash and name, running, newest; the id settles the rest.
const v1::Container* ChooseCurrent(const Facts& facts, const Candidates& candidates) {
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
  Candidates coming;
  Candidates plain;
  Candidates going;
  for (const v1::Container* container : here.containers) {
    switch (resources::PartOf(container->name(), facts.docker_name)) {
      case ReplacementPart::kComing:
        coming.push_back(container);
        break;
      case ReplacementPart::kGoing:
        going.push_back(container);
        break;
      case ReplacementPart::kNone:
        plain.push_back(container);
        break;
    }
  }
  const v1::Container* const named = plain.empty() ? nullptr : ChooseCurrent(facts, plain);
  if (coming.empty()) {
    pair.current = named;
    if (!going.empty()) pair.kept_old = going.front();
  } else {
    // What has the name serves until the other takes it over.
    pair.current = ChooseCurrent(facts, coming);
    pair.is_coming = true;
    pair.kept_old = named != nullptr ? named : going.empty() ? nullptr : going.front();
  }
  for (const v1::Container* container : here.containers) {
    if (container != pair.current && container != pair.kept_old) pair.extras.push_back(container);
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
