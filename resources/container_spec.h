// From a declared deployment to the container that the engine is to make.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// The Docker-side name that a resource derives: the container name of a deployment
// (custom_name, else its name with characters outside [A-Za-z0-9_.-] replaced by '_' and leading
// non-alphanumerics dropped), the compose project of a stack (project_name, else the name in
// lower case with characters outside [a-z0-9_-] replaced by '_' and leading non-alphanumerics
// dropped). Empty for other kinds.
std::string DockerNameOf(const v1::Resource& resource);

// What is wrong with a name, and what to do about it.
struct NameFault {
  std::string message;
  std::string suggestion;
};

// Why the engine would refuse DockerNameOf; nothing when it takes it, or when the name is to be
// filled in from a variable.
std::optional<NameFault> FindNameFault(const v1::Resource& resource);

// The ports of those lines that can be read; of absurdly many the first.
std::vector<v1::ContainerSpec::Port> ReadablePorts(const std::string& text);

// Those of `ports` and of `extra_args`, as far as they can be read.
std::vector<v1::ContainerSpec::Port> ReadablePortsOf(const v1::Deployment& deployment);

// InvalidArgument naming the field and what is wrong (a port, a mount, a line without
// separator, an empty image). Requires: a deployment, interpolated.
absl::StatusOr<v1::ContainerSpec> ContainerSpecOf(const v1::Resource& resource);

// The reason why this version does not act on the resource yet ("linked_repo as a source"), or
// empty. Found from the fields marked `not_yet` that differ from their default, and the image
// of a build.
std::string NotYetReason(const v1::Resource& resource);

// The same of a message within a resource, such as one execution of a procedure.
std::string NotYetPartsOf(const google::protobuf::Message& message);

}  // namespace fairlead::resources
