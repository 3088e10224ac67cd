// Pushes of images.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Pushes a reference that the engine has and returns its digest ("sha256:..."), empty when the
// engine does not tell. What a registry fails with for now is tried again within the action's
// deadline, with growing pauses, at most four times. Codes as StatusOfPushError; the message names
// the reference.
absl::StatusOr<std::string> PushImage(ActionScope& scope, const std::string& reference,
                                      const v1::Login& login);

}  // namespace fairlead::agent
