// `extra_args` of a deployment: flags of `docker run`, as the engine understands them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/repeated_field.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::resources {

// Adds what the flags of `args` ask for to `spec`: to its own fields where it has them (ports,
// mounts, environment, labels, health check), else to `engine`, in the shape of the engine's
// create request. Each element may hold several words, split as a shell does. One table has all
// flags; those that the deployment says otherwise (name, network, restart...) are refused with
// what to use. InvalidArgument naming the flag, and the likely one for a misspelt one; `spec` then
// holds what came before it. Requires: `network` and `healthcheck` of `spec` are set.
absl::Status ApplyRunFlags(const google::protobuf::RepeatedPtrField<std::string>& args,
                           v1::ContainerSpec* spec);

}  // namespace fairlead::resources
