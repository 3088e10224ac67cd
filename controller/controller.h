// The controller put together: constructs, wires, starts and stops in order, decides nothing.
//
// Stop order: no more HTTP and gRPC calls, no more fetches, agents are told goodbye, the loop
// ends, the store closes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "controller/limits.h"

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
  // Where other controllers and agents reach the gRPC port, "host:port"; with PostgreSQL only.
  // Empty: the name of this machine, or where it listens on loopback only that address.
  std::string advertise;
  // With PostgreSQL: how long an office lasts without renewal.
  absl::Duration lease_duration = absl::Seconds(3);
  // These two are set by Member. The office in which this controller acts; 0 where nobody is
  // elected.
  int64_t term = 0;
  // Whether it may still act in it; absent: it may.
  std::function<bool()> in_office;
  // Member waits so long for a database that is away at the start.
  absl::Duration store_wait;
  // Polled while it waits; absent: it is never stopped.
  std::function<bool()> is_stopping;
  // TOML file whose resources are declared under the origin "bootstrap"; may be empty.
  std::string bootstrap;
  // Loopback only, no TLS, no login.
  bool dev = false;
  // With `dev`: a login is asked for all the same.
  bool require_login = false;
  // Records of the audit log are kept so long.
  absl::Duration audit_retention = absl::Hours(24 * 365);
  // Shown to whoever may become the first admin, while there is no user; absent: it is logged.
  std::function<void(const std::string& token)> on_first_token;
  // /metrics asks nobody who they are, also beyond loopback.
  bool open_metrics = false;
  // PEM files; without them an authority and a certificate are made in `data_dir`/tls.
  std::string tls_cert;
  std::string tls_key;
  // Whose client certificates count besides our own; may be empty.
  std::string tls_ca;
  // Names and addresses under which the controller is reached, for the certificate that is made.
  std::vector<std::string> tls_names;
  // Secret of webhooks whose sync has none of its own; may be empty.
  std::string webhook_secret;
  // File of accounts at git servers and registries; may be empty.
  std::string accounts;
  // File of who else keeps secrets; may be empty.
  std::string secrets;
  // File of the OpenID provider that people may log in by; may be empty.
  std::string oidc;
  // File of the keys of secrets; empty: `secret.key` in `data_dir`.
  std::string secret_key_file;
  // File of age identities, for files of secrets in git; may be empty.
  std::string age_key;
  // This program's own path, for the fetch helper.
  std::string program;
  Limits limits;
  // Outlives the controller; absent: the machine's.
  base::Clock* clock = nullptr;
};

// InvalidArgument when they do not go together.
absl::Status CheckOptions(const ControllerOptions& options);

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
