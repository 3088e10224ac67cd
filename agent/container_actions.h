// The shorter actions on containers.
#pragma once

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Each looks at the engine first and may be run again after a crash.
absl::Status StartContainers(ActionScope& scope);
absl::Status StopContainers(ActionScope& scope, const v1::StopContainers& request);
absl::Status RestartContainers(ActionScope& scope, const v1::RestartContainers& request);
absl::Status UpdateContainer(ActionScope& scope, const v1::UpdateContainer& request);
absl::Status RemoveContainers(ActionScope& scope, const v1::RemoveContainers& request);
absl::Status AdoptContainer(ActionScope& scope, const v1::AdoptContainer& request);

}  // namespace fairlead::agent
