// How the agent makes sure that it talks to its controller.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"

namespace fairlead::agent {

// What the agent knows of its controller.
struct ControllerTrust {
  // PEM of the authorities that may sign the controller's certificate; empty: the machine's.
  std::string authorities;
  // Instead of them, before the agent has joined: SHA-256 of a certificate in the chain that the
  // controller presents.
  std::string fingerprint;
  // As dialled, "host:port".
  std::string address;
  // Times of certificates are not looked at: to ask a controller whose clock is another.
  bool any_time = false;
};

// OK when `chain` (PEM) is the controller's: signed by an authority that is believed, and either
// of a controller by its own authority or for the host that was dialled. PermissionDenied says why
// not.
absl::Status VerifyController(const std::string& chain, const ControllerTrust& trust,
                              absl::Time now);

// Of a client; both PEM, or both empty.
struct ClientIdentity {
  std::string certificate;
  std::string key;
};

// Why the last handshake was refused here; OK when it was not. Thread-safe.
class HandshakeVerdict {
 public:
  void Set(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    status_ = status;
  }
  absl::Status Get() const {
    base::MutexLock lock(mutex_);
    return status_;
  }

 private:
  mutable base::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Channel credentials that verify as above. What is refused is kept in `verdict`.
std::shared_ptr<grpc::ChannelCredentials> MakeTrustingCredentials(
    const ControllerTrust& trust, const ClientIdentity& identity, const base::Clock& clock,
    const std::shared_ptr<HandshakeVerdict>& verdict);

}  // namespace fairlead::agent
