// What a Docker engine says of its containers.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/import/docker_import.h"

namespace fairlead::cli {

// `host` is unix:///PATH or tcp://HOST:PORT. Unavailable when nobody answers; InvalidArgument for
// another `host`. Containers that go meanwhile are left out.
absl::StatusOr<DockerSnapshot> ReadDocker(const std::string& host, absl::Duration timeout);

}  // namespace fairlead::cli
