// The one place that says who may do what.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/access/audit_log.h"
#include "controller/access/authenticator.h"
#include "controller/access/call_rates.h"
#include "controller/access/caller.h"
#include "controller/access/directory.h"
#include "controller/access/permission.h"
#include "controller/access/rules.h"

namespace fairlead::access {

// What one caller may do, at one moment. A value.
class Rights {
 public:
  // Nothing.
  Rights() = default;
  static Rights Everything();
  Rights(std::shared_ptr<const Policy> policy, std::vector<std::size_t> groups)
      : policy_(std::move(policy)), groups_(std::move(groups)) {}
  // No more than the key's own permissions.
  void LimitTo(std::shared_ptr<const Policy> policy, std::shared_ptr<const Identities> identities,
               const KnownKey* key);

  // Of "stack/web".
  Right Of(absl::string_view resource) const;
  // Of all resources of a kind. "system" is the controller itself.
  Right OfKind(absl::string_view kind) const;
  bool nothing() const;

 private:
  bool everything_ = false;
  std::shared_ptr<const Policy> policy_;
  std::vector<std::size_t> groups_;
  std::shared_ptr<const Identities> identities_;
  const KnownKey* limit_ = nullptr;
};

// A call that was looked at.
struct Admission {
  // OK, Unauthenticated, PermissionDenied, ResourceExhausted or Unavailable.
  absl::Status status;
  Caller caller;
  // Null when there is none.
  const Rule* rule = nullptr;
  // "stack/web"; empty when it is about none, or not about one.
  std::string resource;
  // Refused because of too many calls, which the audit log tells of already.
  bool is_told = false;
};

// Told of calls; each may be empty. Called on any thread, and returns at once.
struct GateEvents {
  // The peer of a call whose caller is proven.
  std::function<void(const std::string& peer)> on_proven;
  // A call was refused because of too many.
  std::function<void()> on_limited;
};

// Authenticates, finds the rule, decides. Thread-safe; a decision costs some look-ups.
class Gate {
 public:
  // The resource of a run, or NotFound.
  using FindRun = std::function<absl::StatusOr<std::string>(const std::string& id)>;

  // All outlive the gate.
  Gate(Authenticator& authenticator, Directory& directory, base::Clock& clock, FindRun find_run,
       const CallRateLimits& rates = {}, const Rules& rules = Rules::All());

  // Before the first call.
  void SetEvents(GateEvents events) { events_ = std::move(events); }
  // The user groups, users and resources that are declared now. Until they were complete once,
  // nobody knows whether a group limits a certificate: one that names a user who is no local one
  // is refused with Unavailable.
  void SetDeclared(std::vector<v1::Resource> user_groups, std::vector<Subject> subjects,
                   bool is_complete = true) ABSL_LOCKS_EXCLUDED(mutex_);

  Admission Admit(const std::string& method, const google::protobuf::Message& request,
                  const Credentials& credentials) ABSL_LOCKS_EXCLUDED(mutex_);

  // Counts a call of this caller, by address when it is not proven. ResourceExhausted with the
  // time to wait when there are too many; `is_news` is then set as CallRates says, unless null.
  absl::Status CheckRate(const Caller& caller, bool* is_news = nullptr);

  // As of now: who is disabled meanwhile has none.
  Rights RightsOf(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);
  // PermissionDenied names the caller, what is missing and who can give it. Unavailable: see
  // SetDeclared.
  absl::Status Check(const Caller& caller, Right needed, absl::string_view resource) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool MayRead(const Caller& caller, absl::string_view resource) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> GroupsOf(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);
  // May do everything.
  bool IsAdmin(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Decide(const Rule& rule, const Asked& asked, Admission& admission) const;
  std::shared_ptr<const Policy> policy() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool MustWait(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckStarted(const Caller& caller) const ABSL_LOCKS_EXCLUDED(mutex_);

  Authenticator& authenticator_;
  Directory& directory_;
  base::Clock& clock_;
  const FindRun find_run_;
  const Rules& rules_;
  CallRates rates_;
  GateEvents events_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const Policy> policy_ ABSL_GUARDED_BY(mutex_);
  // What the policy was made of.
  std::vector<v1::Resource> user_groups_ ABSL_GUARDED_BY(mutex_);
  std::vector<Subject> subjects_ ABSL_GUARDED_BY(mutex_);
  bool was_complete_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::access
