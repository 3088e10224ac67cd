#include "controller/access/directory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/secret.h"

namespace fairlead::access {
namespace {

constexpr char kFirstToken[] = "first-admin-token";

absl::StatusOr<KnownKey> Know(const v1::ApiKey& record) {
  KnownKey key;
  key.record = record;
  for (const std::string& cidr : record.cidrs()) {
    ASSIGN_OR_RETURN(key.networks.emplace_back(), Network::Parse(cidr));
  }
  ASSIGN_OR_RETURN(key.grants, Grants::Compile(record.all(), record.permissions()));
  key.is_limited = record.all_size() > 0 || record.permissions_size() > 0;
  return key;
}

bool HasAdmin(const Identities& identities) {
  return std::any_of(identities.users.begin(), identities.users.end(), [](const auto& entry) {
    return entry.second.admin() && !entry.second.disabled();
  });
}

// Somebody was let in: those whom git alone has named cannot log in yet.
bool HasOwner(const Identities& identities) {
  return std::any_of(identities.users.begin(), identities.users.end(), [](const auto& entry) {
    const v1::LocalUser& user = entry.second;
    return user.declared_by().empty() || user.admin() || !user.password_hash().empty();
  });
}

// What git says is changed there.
absl::Status CheckDeclared(const v1::LocalUser& before, const v1::LocalUser& after) {
  if (!before.declared()) return absl::OkStatus();
  const bool same = before.disabled() == after.disabled() &&
                    std::equal(before.groups().begin(), before.groups().end(),
                               after.groups().begin(), after.groups().end());
  if (same) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "user \"", before.name(), "\" is declared by ", before.declared_by(),
      ": change `enabled` and `groups` of its [[user]] there; the password and whether it is an ",
      "admin can be changed here"));
}

// The record with what is declared of it.
v1::LocalUser Declare(const v1::LocalUser* known, const v1::LocalUser& wanted) {
  v1::LocalUser user = known == nullptr ? wanted : *known;
  user.set_disabled(wanted.disabled());
  *user.mutable_groups() = wanted.groups();
  user.set_declared_by(wanted.declared_by());
  user.set_declared(true);
  return user;
}

}  // namespace

const v1::LocalUser* Identities::ActiveUser(const std::string& name) const {
  const auto found = users.find(name);
  return found == users.end() || found->second.disabled() ? nullptr : &found->second;
}

const KnownKey* Identities::ActiveKey(const std::string& id, absl::Time now) const {
  const auto found = keys.find(id);
  if (found == keys.end() || found->second.record.revoked()) return nullptr;
  const v1::ApiKey& record = found->second.record;
  if (record.has_expires() && base::FromProto(record.expires()) <= now) return nullptr;
  if (!record.user().empty() && ActiveUser(record.user()) == nullptr) return nullptr;
  return &found->second;
}

absl::StatusOr<std::unique_ptr<Directory>> Directory::Load(const store::StoreImage& image,
                                                           store::Store& store) {
  std::unique_ptr<Directory> directory(new Directory(store));
  auto identities = std::make_shared<Identities>();
  for (const v1::LocalUser& user : image.users) identities->users[user.name()] = user;
  for (const v1::ApiKey& record : image.api_keys) {
    absl::StatusOr<KnownKey> key = Know(record);
    if (!key.ok()) {
      return absl::DataLossError(
          absl::StrCat("API key ", record.id(), ": ", key.status().message()));
    }
    identities->keys[record.id()] = *std::move(key);
  }
  const auto token = image.settings.find(kFirstToken);
  base::MutexLock lock(directory->mutex_);
  directory->identities_ = std::move(identities);
  if (token != image.settings.end()) directory->first_token_hash_ = token->second;
  return directory;
}

std::shared_ptr<const Identities> Directory::identities() const {
  base::MutexLock lock(mutex_);
  return identities_;
}

absl::Status Directory::CommitLocked(const store::StoreBatch& batch, Identities next) {
  RETURN_IF_ERROR(store_.Apply(batch), "store it");
  auto shown = std::make_shared<const Identities>(std::move(next));
  {
    base::MutexLock lock(mutex_);
    identities_ = std::move(shown);
  }
  if (on_change_ != nullptr) on_change_();
  return absl::OkStatus();
}

absl::Status Directory::AddUserLocked(const v1::LocalUser& user) {
  RETURN_IF_ERROR(CheckUserName(user.name()));
  Identities next = *identities();
  const auto [known, is_new] = next.users.emplace(user.name(), user);
  if (!is_new && known->second.declared()) {
    return absl::AlreadyExistsError(
        absl::StrCat("user \"", user.name(), "\" is declared by ", known->second.declared_by(),
                     " and exists; set the password with: fairlead user password ", user.name()));
  }
  if (!is_new) {
    return absl::AlreadyExistsError(absl::StrCat("there is a user \"", user.name(), "\" already"));
  }
  store::StoreBatch batch;
  batch.put_users = {user};
  // Of no use any more.
  batch.put_settings = {{kFirstToken, ""}};
  RETURN_IF_ERROR(CommitLocked(batch, std::move(next)));
  base::MutexLock lock(mutex_);
  first_token_hash_.clear();
  return absl::OkStatus();
}

absl::Status Directory::AddUser(const v1::LocalUser& user) {
  base::MutexLock turn(write_mutex_);
  return AddUserLocked(user);
}

absl::Status Directory::AddFirstUser(const v1::LocalUser& user) {
  base::MutexLock turn(write_mutex_);
  if (HasOwner(*identities())) {
    return absl::FailedPreconditionError(
        "there is a user already: log in, or ask an admin to add you");
  }
  return AddUserLocked(user);
}

absl::Status Directory::ChangeUser(const std::string& name,
                                   const std::function<void(v1::LocalUser&)>& change) {
  base::MutexLock turn(write_mutex_);
  Identities next = *identities();
  const auto found = next.users.find(name);
  if (found == next.users.end()) {
    return absl::NotFoundError(absl::StrCat("no user \"", name, "\"; see: fairlead user list"));
  }
  const bool had_admin = HasAdmin(next);
  const v1::LocalUser before = found->second;
  change(found->second);
  RETURN_IF_ERROR(CheckDeclared(before, found->second));
  if (had_admin && !HasAdmin(next)) {
    return absl::FailedPreconditionError(
        absl::StrCat("user \"", name, "\" is the only admin; make another one first"));
  }
  store::StoreBatch batch;
  batch.put_users = {found->second};
  return CommitLocked(batch, std::move(next));
}

absl::StatusOr<std::vector<UserChange>> Directory::SetDeclared(const DeclaredUsers& declared) {
  base::MutexLock turn(write_mutex_);
  Identities next = *identities();
  const bool had_admin = HasAdmin(next);
  store::StoreBatch batch;
  std::vector<UserChange> changes;
  const auto put = [&](v1::LocalUser user, const std::string& text) {
    const auto known = next.users.find(user.name());
    const bool is_known = known != next.users.end();
    using google::protobuf::util::MessageDifferencer;
    if (is_known && MessageDifferencer::Equals(known->second, user)) return;
    const v1::LocalUser before = is_known ? known->second : v1::LocalUser();
    next.users[user.name()] = user;
    if (had_admin && !HasAdmin(next)) {
      // Nobody could enable anybody any more.
      user.set_disabled(false);
      next.users[user.name()] = user;
      changes.push_back({user.name(), "is the only admin and stays enabled", true});
      if (MessageDifferencer::Equals(before, user)) return;
    } else {
      changes.push_back({user.name(), text, false});
    }
    batch.put_users.push_back(std::move(user));
  };
  for (const v1::LocalUser& wanted : declared.users) {
    const auto known = next.users.find(wanted.name());
    const std::string how = wanted.disabled() ? "disabled" : "enabled";
    put(Declare(known == next.users.end() ? nullptr : &known->second, wanted),
        absl::StrCat("declared by ", wanted.declared_by(), ": ", how));
  }
  const auto is_wanted = [&declared](const std::string& name) {
    return declared.unreadable.contains(name) ||
           std::any_of(declared.users.begin(), declared.users.end(),
                       [&name](const v1::LocalUser& user) { return user.name() == name; });
  };
  const auto all = next.users;
  for (const auto& [name, known] : all) {
    if (!known.declared() || is_wanted(name) ||
        declared.unreadable_origins.contains(known.declared_by())) {
      continue;
    }
    v1::LocalUser user = known;
    user.set_declared(false);
    user.set_disabled(true);
    put(std::move(user), absl::StrCat("disabled: no longer declared by ", known.declared_by()));
  }
  if (!batch.put_users.empty()) RETURN_IF_ERROR(CommitLocked(batch, std::move(next)));
  return changes;
}

absl::Status Directory::AddKey(const v1::ApiKey& key) {
  RETURN_IF_ERROR(CheckUserName(key.name()));
  absl::StatusOr<KnownKey> known = Know(key);
  if (!known.ok()) return known.status();
  base::MutexLock turn(write_mutex_);
  Identities next = *identities();
  for (const auto& [id, other] : next.keys) {
    if (other.record.user() == key.user() && other.record.name() == key.name() &&
        !other.record.revoked()) {
      return absl::AlreadyExistsError(absl::StrCat("there is a key \"", key.name(),
                                                   "\" already; revoke it or take another name"));
    }
  }
  next.keys[key.id()] = *std::move(known);
  store::StoreBatch batch;
  batch.put_api_keys = {key};
  return CommitLocked(batch, std::move(next));
}

absl::Status Directory::RevokeKey(const std::string& id) {
  base::MutexLock turn(write_mutex_);
  Identities next = *identities();
  const auto found = next.keys.find(id);
  if (found == next.keys.end()) return absl::NotFoundError(absl::StrCat("no key ", id));
  found->second.record.set_revoked(true);
  store::StoreBatch batch;
  batch.put_api_keys = {found->second.record};
  return CommitLocked(batch, std::move(next));
}

absl::StatusOr<std::string> Directory::MakeFirstToken() {
  base::MutexLock turn(write_mutex_);
  if (HasOwner(*identities())) {
    return absl::FailedPreconditionError("there is a user already");
  }
  const std::string token = NewSecret(kFirstKind).Text();
  const std::string hash = Sha256(token);
  store::StoreBatch batch;
  batch.put_settings = {{kFirstToken, hash}};
  RETURN_IF_ERROR(store_.Apply(batch), "store the first token");
  base::MutexLock lock(mutex_);
  first_token_hash_ = hash;
  return token;
}

bool Directory::IsFirstToken(const std::string& token) const {
  const std::string hash = Sha256(token);
  base::MutexLock lock(mutex_);
  return !first_token_hash_.empty() && EqualBytes(first_token_hash_, hash);
}

}  // namespace fairlead::access
