// The controller put together: constructs, wires, starts and stops in order, decides nothing.
//
// Stop order: no more HTTP and gRPC calls, no more fetches, agents are told goodbye, the loop
// ends, the store closes.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"

namespace fairlead::controller {

struct ControllerOptions {
  // gRPC and HTTP, "address:port"; port 0 lets the system choose.
  std::string listen = "127.0.0.1:7400";
  std::string http_listen = "127.0.0.1:7401";
  std::string data_dir = "/var/lib/fairlead";
  // "sqlite:PATH" or "postgresql://..."; empty is fairlead.db in `data_dir`.
  std::string store;
  // File with the password of the database; may be empty.
  std::string store_password_file;
  // TOML file whose resources are declared under the origin "bootstrap"; may be empty.
  std::string bootstrap;
  // Loopback only, no TLS, no login.
  bool dev = false;
  // PEM files, needed without `dev`.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  // Secret of webhooks whose sync has none of its own; may be empty.
  std::string webhook_secret;
  // File of accounts at git servers and registries; may be empty.
  std::string accounts;
  // This program's own path, for the fetch helper.
  std::string program;
  // Outlives the controller; absent: the machine's.
  base::Clock* clock = nullptr;
};

// The address of the store that the options name.
std::string StoreOf(const ControllerOptions& options);

// Thread-safe. Runs until Stop.
class Controller {
 public:
  // Everything is up when it returns. FailedPrecondition: the data directory is in use by another
  // controller. InvalidArgument: options that do not go together. Unavailable: an address cannot
  // be listened on.
  static absl::StatusOr<std::unique_ptr<Controller>> Start(const ControllerOptions& options);
  ~Controller();

  void Stop();

  // As bound.
  std::string grpc_address() const;
  std::string http_address() const;

 private:
  struct Parts;
  explicit Controller(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fairlead::controller
