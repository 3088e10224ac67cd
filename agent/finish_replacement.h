// The end of a replacement: one of two containers keeps the name.
#pragma once

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Looks at the engine first and may be run again after a crash. While both containers run, the
// name passes from one to the other without a moment in which it does not resolve, and the old
// one is stopped only after the name has left it.
absl::Status FinishReplacement(ActionScope& scope, const v1::FinishReplacement& request);

}  // namespace fairlead::agent
