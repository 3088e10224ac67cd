// HTTP over the socket of the Docker engine.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "agent/engine_transport.h"
#include "base/clock.h"

namespace fairlead::agent {

// One connection per call. Thread-safe. Knows nothing of what the engine means.
class EngineHttp final : public EngineTransport {
 public:
  // `address` is unix:///path or tcp://host:port. `clock` outlives this.
  EngineHttp(std::string address, const base::Clock& clock);

  absl::StatusOr<HttpResponse> Stream(const HttpRequest& request, const StreamHooks& hooks,
                                      const CallLimits& limits) const override;

 private:
  const std::string address_;
  const base::Clock& clock_;
};

}  // namespace fairlead::agent
