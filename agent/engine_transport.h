// How requests reach the Docker engine.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::agent {

// When a call to the engine must end.
struct CallLimits {
  absl::Time deadline = absl::InfiniteFuture();
  // Polled some 20 times a second; may be empty.
  std::function<bool()> is_cancelled;
};

struct HttpRequest {
  std::string method = "GET";
  // Path and query.
  std::string target;
  // JSON; empty sends none.
  std::string body;
  // X-Registry-Auth; empty sends none.
  std::string registry_auth;
};

struct HttpResponse {
  unsigned status = 0;
  std::string body;
};

// Thread-safe.
class EngineTransport {
 public:
  virtual ~EngineTransport() = default;

  struct StreamHooks {
    // The engine accepted the request; may be empty.
    std::function<void()> on_open;
    // The next bytes of the body; a failure ends the stream and is what Stream returns.
    std::function<absl::Status(absl::string_view)> on_bytes;
  };
  // The body of a 2xx answer goes to the hooks as it comes; without hooks it is returned.
  // Unavailable when the engine does not answer or the connection breaks, DeadlineExceeded,
  // Cancelled. Any HTTP status is a success here.
  virtual absl::StatusOr<HttpResponse> Stream(const HttpRequest& request, const StreamHooks& hooks,
                                              const CallLimits& limits) const = 0;

  absl::StatusOr<HttpResponse> Call(const HttpRequest& request, const CallLimits& limits) const {
    return Stream(request, {}, limits);
  }
};

}  // namespace fairlead::agent
