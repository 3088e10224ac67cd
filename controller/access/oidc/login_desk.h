// Logins by OpenID Connect, from the first question to the session.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/access/access.h"
#include "controller/access/oidc/http_client.h"
#include "controller/access/oidc/provider.h"
#include "controller/access/oidc/settings.h"

namespace fairlead::access::oidc {

struct BeginOrder {
  // "http://127.0.0.1:PORT/callback" or with [::1].
  std::string redirect_uri;
  std::string code_challenge;
  // Whose call it is.
  std::string address;
};
struct Begun {
  std::string authorization_url;
  std::string state;
};

struct FinishOrder {
  std::string state;
  std::string code;
  std::string code_verifier;
  std::string address;
};
struct LoggedIn {
  std::string user;
  std::string subject;
  std::vector<std::string> groups;
  Sessions::Opened session;
};

// One thread of its own asks the provider, so that one that hangs occupies none of those that
// serve calls; what waits for it is bounded. Whoever begins a login keeps the PKCE verifier: who
// only sees the code cannot end it. Thread-safe.
class LoginDesk {
 public:
  // `access` and `clock` outlive it.
  LoginDesk(Settings settings, Access& access, base::Clock& clock);
  ~LoginDesk();

  // Both answer once, on the desk's thread or the caller's. InvalidArgument: the order is not of
  // the form; ResourceExhausted: too many have begun, wait or have failed; else as Provider.
  void Begin(BeginOrder order, std::function<void(absl::StatusOr<Begun>)> answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Unauthenticated: also when the login is not known, or too old. PermissionDenied: none of the
  // groups is mapped, or the name is a local user's or none at all.
  void Finish(FinishOrder order, std::function<void(absl::StatusOr<LoggedIn>)> answer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers what waits with Unavailable, and ends the thread within about a second.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Told why when it cannot be done.
  using Job = std::function<void(const absl::Status& stopped)>;

  // A login that has begun.
  struct Pending {
    // See SiteOf.
    std::string site;
    std::string redirect_uri;
    std::string code_challenge;
    std::string nonce;
    absl::Duration begun;
  };

  void Add(Job job) ABSL_LOCKS_EXCLUDED(mutex_);
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Begun> BeginNow(const BeginOrder& order);
  // The oldest of the site that has begun most: many addresses keep nobody out.
  void DropPending();
  absl::StatusOr<LoggedIn> FinishNow(const FinishOrder& order);
  absl::StatusOr<Person> Identify(const FinishOrder& order);
  absl::Status CheckName(const std::string& name) const;

  const Settings settings_;
  Access& access_;
  base::Clock& clock_;
  HttpClient http_;
  // The thread's own, by state.
  Provider provider_;
  std::map<std::string, Pending> pending_;

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::access::oidc
