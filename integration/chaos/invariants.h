// What must hold, as functions over values. Each returns violations that say where, what was
// expected and what is seen.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "integration/chaos/expectation.h"
#include "integration/chaos/observation.h"

namespace fairlead::chaos {

using Violations = std::vector<std::string>;

// At rest: live equals the last valid commit `head`; each resource is converged or in a named and
// explained state; nothing is there twice, left over or of nobody. Empty: it is at rest.
Violations CheckRest(const Expectation& expectation, const std::string& head,
                     const Observation& seen);

// What the suite has put on the hosts itself is byte for byte as it was.
Violations CheckBystanders(const Observation& before, const Observation& now);

// Resources that nobody touched have the containers they had.
Violations CheckKept(const std::set<std::string>& untouched, const Observation& before,
                     const Observation& now);

// What people have done beside the repository, since the run began.
struct ByHand {
  // Ids of containers removed by a shell on their host.
  std::set<std::string> removed;
  // How often a restart was asked for, answered or not, by resource.
  std::map<std::string, int> restarts;
};

// Counts effects at the engines: an *ensure* action makes each of its containers once, a *once*
// action takes effect at most once. `events` are all since the run began.
Violations CheckEvents(const std::vector<EngineEvent>& events, const ByHand& by_hand);

// One office of a controller, as the database recorded it: microseconds of its clock.
struct SeenOffice {
  int64_t term = 0;
  std::string holder;
  int64_t began = 0;
  // When the lease could move.
  int64_t expires = 0;
  // When its holder stopped acting by itself; 0 where it could not say so.
  int64_t stopped = 0;
};

// In order of term: no two overlap, and terms have no holes that a store could have slipped
// through.
Violations CheckOffices(const std::vector<SeenOffice>& offices);

// An action as it came into the store.
struct IssuedAction {
  std::string id;
  // In its record.
  int64_t record_term = 0;
  // Of the writer at that moment, in the same transaction.
  int64_t writer_term = 0;
};

// Each is issued once, and in the office that its record names.
Violations CheckIssued(const std::vector<IssuedAction>& actions);

// Lines of `text` that hold a secret; `where` names it.
Violations CheckSecrets(const std::string& where, const std::string& text);

}  // namespace fairlead::chaos
