// How long an action on a resource may take, and how its containers are stopped.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "fairlead/v1/plan.pb.h"
#include "sync/planner.h"

namespace fairlead::loop {

struct StopTerms {
  std::string signal = "SIGTERM";
  int32_t seconds = 10;
};
// Of what runs: from the spec applied last.
StopTerms StopTermsOf(const sync::PlanInput& input, absl::string_view resource);

// `action_timeout` of the resource; else the default of the action's kind, and what the container
// has to stop on top of it.
absl::Duration DeadlineOf(const sync::PlanInput& input, absl::string_view resource,
                          v1::StepAction action);

}  // namespace fairlead::loop
