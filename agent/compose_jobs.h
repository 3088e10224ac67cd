// What people have done with a compose project beside applying it.
#pragma once

#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "agent/compose_command.h"
#include "agent/stack_folder.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Both work on the files as they were applied last, on those of the request when there were none,
// and with the logins, the profiles and the wrapper of the request.

// Pulls the images of all services, or of `request.services`.
absl::Status PullStack(ActionScope& scope, const v1::PullImages& request,
                       const ComposeCommand& compose, const StackFolder& folder);

// Runs a command in a new container of a service, at most once for the action (RunOnce). The
// container goes at the end, also when the action is cancelled, unless it is to run on by itself.
// FailedPrecondition when the command does not end with 0.
absl::Status RunService(ActionScope& scope, const v1::RunService& request,
                        const ComposeCommand& compose, const StackFolder& folder);

}  // namespace fairlead::agent
