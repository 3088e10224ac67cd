// The HTTP port, as the active controller and a standby open it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "controller/http/server.h"
#include "controller/limits.h"

namespace fairlead::controller {

// Where --http-listen, "address:port" or "localhost:port", says, and as many connections as the
// limits allow; all else as it is by default. InvalidArgument when it is no such text.
absl::StatusOr<http::Server::Options> HttpPortOptions(const std::string& listen,
                                                      const Limits& limits);

}  // namespace fairlead::controller
