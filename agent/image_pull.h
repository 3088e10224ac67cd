// The image of a container to be made.
#pragma once

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Brings the image of the request's spec onto the host as its pull policy says. A failed pull
// changes nothing; with the image present it is a warning.
absl::Status EnsureImage(ActionScope& scope, const v1::ApplyContainer& request);

// Pulls and shows how far it is. Without a domain in `login` nobody logs in.
absl::Status PullImage(ActionScope& scope, const std::string& image, const v1::Login& login);

}  // namespace fairlead::agent
