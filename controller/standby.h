// What a controller does that is not the active one: its ports are open and pass on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"

#include "controller/controller.h"
#include "controller/election/elector.h"

namespace fairlead::controller {

// gRPC calls and webhooks go to the controller that holds the lease; /healthz, /readyz and /metrics
// are of this one. While nobody holds it, calls are UNAVAILABLE with a text that says who was last.
// Thread-safe.
class Standby {
 public:
  // `holder` names it in the certificate with which it passes on. `standing` may be called at any
  // time until Stop. As Controller::Start.
  static absl::StatusOr<std::unique_ptr<Standby>> Start(
      const ControllerOptions& options, const std::string& holder,
      std::function<election::Standing()> standing);
  ~Standby();

  void Stop();

  // As bound.
  std::string grpc_address() const;
  std::string http_address() const;
  // Fingerprint of the authority in hexadecimal; empty with --dev.
  std::string authority() const;

 private:
  struct Parts;
  explicit Standby(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fairlead::controller
