#include "controller/access/directory.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/secret.h"

namespace fairlead::access {
namespace {

constexpr char kFirstToken[] = "first-admin-token";
constexpr std::size_t kLongestName = 64;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
         c == '@';
}

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

}  // namespace

absl::Status CheckUserName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kLongestName &&
                    absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
                    std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" cannot be a name: use up to ", kLongestName,
                   " letters, digits and .-_@, a letter or digit first"));
}

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
  if (!next.users.emplace(user.name(), user).second) {
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
  if (!identities()->users.empty()) {
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
  change(found->second);
  if (had_admin && !HasAdmin(next)) {
    return absl::FailedPreconditionError(
        absl::StrCat("user \"", name, "\" is the only admin; make another one first"));
  }
  store::StoreBatch batch;
  batch.put_users = {found->second};
  return CommitLocked(batch, std::move(next));
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
  if (!identities()->users.empty()) {
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
