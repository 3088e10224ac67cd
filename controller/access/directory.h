// The users and API keys of this installation.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/access/address.h"
#include "controller/access/permission.h"
#include "controller/store/store.h"
#include "resources/user_name.h"

namespace fairlead::access {

struct KnownKey {
  v1::ApiKey record;
  std::vector<Network> networks;
  // Of its own permissions; it has some when `is_limited`.
  Grants grants;
  bool is_limited = false;
};

// All of them at one moment. Immutable.
struct Identities {
  std::map<std::string, v1::LocalUser> users;
  // By id.
  std::map<std::string, KnownKey> keys;

  // Null when there is none, or it is disabled.
  const v1::LocalUser* ActiveUser(const std::string& name) const;
  // Null when there is none, it is revoked or has expired, or its user is disabled.
  const KnownKey* ActiveKey(const std::string& id, absl::Time now) const;
};

// The users of git.
struct DeclaredUsers {
  // Name, disabled, groups and declared_by; created and created_by count for those who are new.
  std::vector<v1::LocalUser> users;
  // Names of those whose declaration cannot be read: they stay as they are.
  std::set<std::string> unreadable;
  // Origins that cannot be read as a whole: who is not declared there any more stays too.
  std::set<std::string> unreadable_origins;
};

struct UserChange {
  std::string user;
  std::string text;
  // It is not as declared.
  bool is_warning = false;
};

// Makes, changes and stores them. Thread-safe: readers take what is there, and do not wait for
// those who change it, who take turns while the disk works.
class Directory {
 public:
  // `store` outlives the directory. DataLoss when a record of the image cannot be used.
  static absl::StatusOr<std::unique_ptr<Directory>> Load(const store::StoreImage& image,
                                                         store::Store& store);

  std::shared_ptr<const Identities> identities() const ABSL_LOCKS_EXCLUDED(mutex_);

  // AlreadyExists, or InvalidArgument for a name that is none.
  absl::Status AddUser(const v1::LocalUser& user) ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // Likewise, but FailedPrecondition when there is a user already who was let in otherwise than by
  // a declaration alone.
  absl::Status AddFirstUser(const v1::LocalUser& user) ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // NotFound. FailedPrecondition when no admin would be left, or for what is declared of a user.
  // `change` gets the record as it is.
  absl::Status ChangeUser(const std::string& name,
                          const std::function<void(v1::LocalUser&)>& change)
      ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // Makes users as declared. Who is not declared any more is disabled, never removed, and can be
  // changed by calls again. Returns what is different; errors as the store's.
  absl::StatusOr<std::vector<UserChange>> SetDeclared(const DeclaredUsers& declared)
      ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // AlreadyExists when the user has an unrevoked key of that name.
  absl::Status AddKey(const v1::ApiKey& key) ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  absl::Status RevokeKey(const std::string& id) ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);

  // Called after each change, on the thread that made it.
  void SetOnChange(std::function<void()> on_change) { on_change_ = std::move(on_change); }

  // While there is no user: a token that makes the first one, once. Replaces the one before.
  absl::StatusOr<std::string> MakeFirstToken() ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  bool IsFirstToken(const std::string& token) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit Directory(store::Store& store) : store_(store) {}

  absl::Status AddUserLocked(const v1::LocalUser& user) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Stores the batch, then shows what it makes.
  absl::Status CommitLocked(const store::StoreBatch& batch, Identities next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  store::Store& store_;
  std::function<void()> on_change_;
  base::Mutex write_mutex_;
  mutable base::Mutex mutex_ ABSL_ACQUIRED_AFTER(write_mutex_);
  std::shared_ptr<const Identities> identities_ ABSL_GUARDED_BY(mutex_);
  std::string first_token_hash_ ABSL_GUARDED_BY(mutex_);
};

using resources::CheckUserName;

}  // namespace fairlead::access
