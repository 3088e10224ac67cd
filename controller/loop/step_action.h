// From a step of the plan to the action that carries it out.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/state.pb.h"
#include "sync/planner.h"

namespace fairlead::loop {

struct StepAction {
  v1::Action action;
  // The spec the action applies, as declared (not interpolated); unset when it applies none.
  v1::Resource spec;
  std::string server;
};

// Without an id. InvalidArgument when the target cannot be made a container (a wrong port...),
// FailedPrecondition when the step needs nothing sent.
absl::StatusOr<StepAction> ComputeStepAction(const sync::PlanInput& input, const v1::Step& step,
                                             const sync::Decision& decision);

// The look ahead at a step that makes a container (create, replace, move), at the server where it
// is to be; `networks_may_come` as in v1::CheckContainer. As ComputeStepAction.
absl::StatusOr<StepAction> ComputeCheckAction(const sync::PlanInput& input, const v1::Step& step,
                                              const sync::Decision& decision,
                                              bool networks_may_come);

}  // namespace fairlead::loop
