// From what a call carries to who it is.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "controller/access/caller.h"
#include "controller/access/directory.h"
#include "controller/access/lockout.h"
#include "controller/access/sessions.h"

namespace fairlead::access {

// What a call carries, as the transport gives it.
struct Credentials {
  // After "Bearer ".
  std::string bearer;
  // The peer has proven a client certificate; its subject alternative names.
  bool has_certificate = false;
  std::vector<std::string> names;
  // IP address without a port, or "unix".
  std::string address;
  // Of the connection, as the transport names it; may be empty.
  std::string peer;
};

struct AuthenticatorOptions {
  // Calls without TLS and without a bearer are the operator's: --dev, which is loopback only.
  bool dev = false;
};

// Checks keys, sessions, certificates and passwords. Thread-safe.
class Authenticator {
 public:
  // All outlive it.
  Authenticator(Directory& directory, Sessions& sessions, base::Clock& clock,
                const AuthenticatorOptions& options)
      : directory_(directory), sessions_(sessions), clock_(clock), options_(options) {}

  // Unauthenticated says what is missing or wrong, never which part of a secret. A bearer that is
  // wrong is refused whatever else the call carries. Not counted: nobody guesses 160 bits, and a
  // program with an old key must not lock out those who log in beside it.
  absl::StatusOr<Caller> Authenticate(const Credentials& credentials);

  // The user of a name and password. Takes about 0.1 s. ResourceExhausted: too many failures, or
  // too many at once. Unauthenticated is the same for a wrong password, no such user and a disabled
  // one.
  absl::StatusOr<v1::LocalUser> CheckPassword(const std::string& user, const std::string& password,
                                              const std::string& address);

  // As CheckPassword, for the token of the first start.
  absl::Status CheckFirstToken(const std::string& token, const std::string& address);

  // ResourceExhausted while too many logins from there have failed.
  absl::Status CheckAddress(const std::string& address) const;
  // Unauthenticated with the reason, after counting it. `user` may be empty.
  absl::Status Refuse(const std::string& user, const std::string& address,
                      const std::string& reason);

 private:
  absl::StatusOr<Caller> FromBearer(const Credentials& credentials);

  Directory& directory_;
  Sessions& sessions_;
  base::Clock& clock_;
  const AuthenticatorOptions options_;
  Lockout lockout_;
  // Passwords that are being checked: each takes 64 MiB.
  base::Mutex mutex_;
  int checking_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fairlead::access
