// How an agent gets and keeps its certificate. The private key never leaves the host.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/connection.h"
#include "agent/tls_trust.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace fairlead::agent {

IdentityFiles IdentityFilesIn(absl::string_view data_dir);

// The server that an agent's certificate, PEM, is for. FailedPrecondition: it is no agent's.
absl::StatusOr<std::string> ServerOf(const std::string& certificate);

// What the files hold.
struct JoinedIdentity {
  ClientIdentity client;
  std::string authorities;
  // The one that the certificate is for.
  std::string server;
  absl::Time not_before;
  absl::Time not_after;
};

// NotFound when this agent has not joined. FailedPrecondition names the file that is damaged.
absl::StatusOr<JoinedIdentity> LoadIdentity(const IdentityFiles& files);

struct JoinToken {
  std::string text;
  // 32 bytes.
  std::string fingerprint;
};
// InvalidArgument, without the text, which is a secret.
absl::StatusOr<JoinToken> ParseJoinToken(absl::string_view text);

struct JoinOptions {
  JoinToken token;
  // As ConnectionOptions::address.
  std::string controller;
  std::string server;
  IdentityFiles files;
};

// Makes a key, has the controller certify it, and writes the files. FailedPrecondition: the clock
// here is off; the token is not spent. PermissionDenied: what the controller says, or that it is
// not the one that made the token.
absl::Status Join(const JoinOptions& options, const base::Clock& clock);

// Why the controller refuses the certificate; empty when it does not. Unavailable: it does not
// answer, which takes up to 20 s for each address of `controller`, as ConnectionOptions::address.
absl::StatusOr<std::string> AskRefusal(const JoinedIdentity& identity,
                                       const std::string& controller, const base::Clock& clock);

// When a certificate is renewed: at two thirds of its life.
absl::Time ComputeRenewal(absl::Time not_before, absl::Time not_after);

// How far the clock here is from the controller's, in words; empty when it is near enough.
std::string ClockDifference(absl::Time here, absl::Time there);

// Renews the certificate in time, and looks why the controller refuses it. One thread of its own.
// Start and Stop are called once.
class IdentityKeeper {
 public:
  struct Options {
    std::string controller;
    IdentityFiles files;
    // Another certificate is in the files; called on the keeper's thread.
    std::function<void()> on_renewed;
  };

  // `clock` must outlive it.
  IdentityKeeper(Options options, const base::Clock& clock);
  ~IdentityKeeper();
  IdentityKeeper(const IdentityKeeper&) = delete;
  IdentityKeeper& operator=(const IdentityKeeper&) = delete;

  void Start();
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // A connection ended: the controller may want something. Returns at once.
  void Look() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the time or a Look; false at the end.
  bool Wait(absl::Time until) ABSL_LOCKS_EXCLUDED(mutex_);
  // The time of the next try.
  absl::Time Attend();
  absl::Status Renew(const ControllerTrust& trust, const JoinedIdentity& identity);
  // Warns once of the same.
  void Tell(const std::string& text);

  const Options options_;
  const base::Clock& clock_;
  // Confined to the thread.
  std::string told_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool look_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::agent
