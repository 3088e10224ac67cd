// What is looked at before a container is stopped for its successor.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Whether the container of `spec` can be made and started on this host: its image is of an
// architecture that the engine runs, its network is there, no other container publishes its ports,
// and the engine's disk has room. FailedPrecondition says what is in the way; the engine is only
// read. `own` are containers of the resource, which make room. Requires: the image is present.
absl::Status CheckCanRun(const ActionScope& scope, const v1::ContainerSpec& spec,
                         const std::set<std::string>& own);

// Whether a rename reaches the engine's DNS, so that a container can take over the name of one that
// serves. FailedPrecondition where it does not.
absl::Status CheckCanPassName(const ActionScope& scope);

// An engine of `engine` runs images of `image`: both as Go names architectures ("amd64").
bool CanRunArchitecture(const std::string& engine, const std::string& image);

}  // namespace fairlead::agent
