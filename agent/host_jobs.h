// What people have done on a host beside what is declared.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// "120 MB", "1.5 GB"; decimal, as docker says it.
std::string SizeText(uint64_t bytes);
// "1 image", "3 images".
std::string CountText(std::size_t count, const std::string& noun);

// The containers of the action's resource. NotFound when there is none.
absl::Status PauseContainers(ActionScope& scope);
absl::Status UnpauseContainers(ActionScope& scope);

// One container, whoever it belongs to, or with an empty name all that the verb applies to; then
// one that fails does not keep it from the others. InvalidArgument for a removal of all.
absl::Status ActOnContainer(ActionScope& scope, const v1::ActOnContainer& request);

// Removes what no container uses. Stopped containers of ours are in use: they are kept to go back
// to, or stand still because somebody wants it. The outcome's report says what was removed.
absl::Status PruneHost(ActionScope& scope, const v1::PruneHost& request, const std::string& engine,
                       const std::string& data_directory);

// NotFound when it is not there, FailedPrecondition while something uses it.
absl::Status RemoveFromHost(ActionScope& scope, const v1::RemoveFromHost& request);

// The image of a deployment.
absl::Status PullImageOf(ActionScope& scope, const v1::PullImages& request);

}  // namespace fairlead::agent
