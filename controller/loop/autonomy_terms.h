// What agents may do while the controller is away.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fairlead/v1/agent.pb.h"
#include "sync/planner.h"

namespace fairlead::loop {

// By server, for every server whose declaration can be read. Left alone is what the controller
// itself would not heal now: resources under a hold, with heal or deploy = false, not wanted
// running, with a spec that has failed, or declared nowhere any more.
std::map<std::string, v1::AutonomyTerms> ComputeAutonomyTerms(const sync::PlanInput& input);

// Says when the terms have to be computed anew, without looking at every resource. Confined to
// one thread.
class AutonomyWatch {
 public:
  // The terms, when they may be others than the last time; empty: nothing to say. Before every
  // source has been read it is not known who may be healed.
  std::map<std::string, v1::AutonomyTerms> Update(const sync::PlanInput& input);

 private:
  uint64_t generation_ = 0;
  // Resources under a hold, then those with failed specs, by name and number.
  std::vector<std::string> marks_;
  std::size_t inventory_ = 0;
};

}  // namespace fairlead::loop
