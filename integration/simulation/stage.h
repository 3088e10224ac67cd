// What all actors of a run share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "integration/simulation/random.h"
#include "integration/simulation/timeline.h"
#include "integration/simulation/trace.h"

namespace fairlead::simulation {

// A bug put in on purpose, to see it found. They live in the shells that the simulation has in
// place of the real ones; the cores are untouched.
enum class Plant {
  kNone,
  kJournalAfterAck,  // the agent says that a record is durable before it is
  kLostDelta,        // a change of live state is lost though its number is used
  kStalePlan,        // the controller sends a step of an earlier plan again
  kDoubleStart,      // the agent starts an action twice
};

// Confined to one run.
struct Stage {
  Stage(uint64_t seed, bool keep_trace, Plant planted)
      : random(seed), trace(keep_trace), plant(planted) {}

  template <typename... Parts>
  void Say(absl::string_view actor, const Parts&... parts) {
    trace.Add(timeline.now() - began, actor, absl::StrCat(parts...));
  }
  void Count(const std::string& what) { ++counts[what]; }
  // A fault of the world happens: counted and told.
  template <typename... Parts>
  void Fault(absl::string_view actor, const std::string& kind, const Parts&... parts) {
    ++counts[absl::StrCat("fault ", kind)];
    trace.Add(timeline.now() - began, actor, absl::StrCat("FAULT ", kind, parts...));
  }
  // An invariant does not hold.
  template <typename... Parts>
  void Violate(const Parts&... parts) {
    const std::string text = absl::StrCat(parts...);
    trace.Add(timeline.now() - began, "VIOLATION", text);
    if (violations.size() < 20) violations.push_back(text);
  }
  // True with this probability, and never while the world is quiet.
  bool Strikes(double probability) { return stormy && random.Chance(probability); }

  Timeline timeline;
  SeededRandom random;
  Trace trace;
  const Plant plant;
  const absl::Time began = timeline.now();
  // Faults may happen.
  bool stormy = true;
  std::map<std::string, uint64_t> counts;
  std::vector<std::string> violations;
};

}  // namespace fairlead::simulation
