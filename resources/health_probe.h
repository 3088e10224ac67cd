// Health checks that an agent makes itself, as they are declared.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::resources {

// "http://host[:port][/path][?query]". InvalidArgument saying what is wrong.
absl::StatusOr<v1::ContainerSpec::Healthcheck::Probe> ParseHttpProbe(absl::string_view url);

// "host:port", "[address]:port" or ":port". InvalidArgument saying what is wrong.
absl::StatusOr<v1::ContainerSpec::Healthcheck::Probe> ParseTcpProbe(absl::string_view address);

// Whether an agent can reach the ports of a container in this network.
bool CanProbe(absl::string_view network);

}  // namespace fairlead::resources
