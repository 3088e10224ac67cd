// HTTP over the socket of the Docker engine.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"

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
};

struct HttpResponse {
  unsigned status = 0;
  std::string body;
};

// One connection per call. Thread-safe. Knows nothing of what the engine means.
class EngineHttp {
 public:
  // `address` is unix:///path or tcp://host:port. `clock` outlives this.
  EngineHttp(std::string address, const base::Clock& clock);

  // Unavailable when the engine does not answer or the connection breaks, DeadlineExceeded,
  // Cancelled. Any HTTP status is a success here.
  absl::StatusOr<HttpResponse> Call(const HttpRequest& request, const CallLimits& limits) const;

  struct StreamHooks {
    // The engine accepted the request; may be empty.
    std::function<void()> on_open;
    // The next bytes of the body; a failure ends the stream and is what Stream returns.
    std::function<absl::Status(absl::string_view)> on_bytes;
  };
  // As Call, but the body of a 2xx answer goes to the hooks as it comes.
  absl::StatusOr<HttpResponse> Stream(const HttpRequest& request, const StreamHooks& hooks,
                                      const CallLimits& limits) const;

  const std::string& address() const { return address_; }

 private:
  const std::string address_;
  const base::Clock& clock_;
};

}  // namespace fairlead::agent
