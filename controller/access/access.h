// Identities, sessions, rules and audit put together.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "controller/access/audit_log.h"
#include "controller/access/authenticator.h"
#include "controller/access/call_audit.h"
#include "controller/access/directory.h"
#include "controller/access/gate.h"
#include "controller/access/sessions.h"
#include "controller/store/store.h"

namespace fairlead::access {

struct AccessOptions {
  // See AuthenticatorOptions.
  bool dev = false;
  SessionLimits sessions;
  absl::Duration audit_retention = absl::Hours(24 * 365);
  CallRateLimits rates;
};

// Owns the parts, which know each other by reference. Thread-safe, as each of them is.
class Access {
 public:
  // `store` and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<Access>> Load(const store::StoreImage& image,
                                                      store::Store& store, base::Clock& clock,
                                                      const AccessOptions& options);

  Directory& directory() { return *directory_; }
  Sessions& sessions() { return *sessions_; }
  Authenticator& authenticator() { return *authenticator_; }
  Gate& gate() { return *gate_; }
  AuditLog& log() { return *log_; }
  CallAudit& audit() { return *audit_; }

 private:
  Access() = default;

  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Sessions> sessions_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<AuditLog> log_;
  std::unique_ptr<CallAudit> audit_;
};

}  // namespace fairlead::access
