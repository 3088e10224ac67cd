#include "controller/secrets/secret_keeper.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::secrets {
namespace {

constexpr std::size_t kLargestKeyFile = 64u << 10;
constexpr std::size_t kLargestValue = 64u << 10;
constexpr std::size_t kLongestName = 200;

absl::Status CheckName(const std::string& name) {
  if (name.size() <= kLongestName && resources::IsPlaceholder(absl::StrCat("[[", name, "]]"))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", name,
      "\" cannot be the name of a secret: [[NAME]] has letters, digits, _, . and - (at most ",
      kLongestName, ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SecretKeeper>> SecretKeeper::Open(
    const std::string& key_file, const std::vector<v1::SecretRecord>& records, store::Store& store,
    base::Clock& clock, base::Random& random) {
  std::unique_ptr<SecretKeeper> keeper(new SecretKeeper(key_file, store, clock, random));
  const absl::StatusOr<std::string> text = base::ReadPrivateFile(key_file, kLargestKeyFile);
  if (!text.ok() && !absl::IsNotFound(text.status())) {
    return base::Annotate(text.status(), "key file of secrets");
  }
  base::MutexLock lock(keeper->mutex_);
  if (text.ok()) {
    ASSIGN_OR_RETURN(keeper->ring_, KeyRing::Parse(*text), absl::StrCat("key file ", key_file));
  }
  for (const v1::SecretRecord& record : records) keeper->records_[record.name()] = record;
  const absl::Status keys = keeper->CheckKeysLocked();
  if (!keys.ok()) {
    base::LogError("secrets", keys.message());
  } else if (!keeper->ring_.empty()) {
    // An operator puts a new key in front of the others.
    const absl::StatusOr<std::size_t> done = keeper->EncryptAllLocked(keeper->ring_);
    if (!done.ok()) base::LogWarning("secrets", "encrypt anew: ", done.status().message());
  }
  keeper->PublishLocked();
  return keeper;
}

void SecretKeeper::SetListener(std::function<void(Values)> on_change) {
  base::MutexLock lock(mutex_);
  on_change_ = std::move(on_change);
  if (on_change_) on_change_(current_);
}

SecretKeeper::Values SecretKeeper::Current() const {
  base::MutexLock lock(mutex_);
  return current_;
}

absl::StatusOr<v1::SecretRecord> SecretKeeper::Set(const std::string& name,
                                                   const std::string& value,
                                                   const std::string& who) {
  RETURN_IF_ERROR(CheckName(name));
  if (value.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("secret ", name, ": the value is empty"));
  }
  if (value.size() > kLargestValue) {
    return absl::InvalidArgumentError(absl::StrCat("secret ", name, ": the value has ",
                                                   value.size(), " bytes; at most ", kLargestValue,
                                                   " are kept"));
  }
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckKeysLocked());
  if (ring_.empty()) {
    KeyRing ring;
    ring.AddNewKey(random_);
    RETURN_IF_ERROR(WriteKeysLocked(ring));
    ring_ = std::move(ring);
  }
  v1::SecretRecord record;
  record.set_name(name);
  ring_.Encrypt(value, random_, &record);
  *record.mutable_set_at() = base::ToProto(clock_.Now());
  record.set_set_by(who);
  const auto known = records_.find(name);
  record.set_version(known == records_.end() ? 1 : known->second.version() + 1);
  store::StoreBatch batch;
  batch.put_secrets.push_back(record);
  RETURN_IF_ERROR(store_.Apply(batch), absl::StrCat("keep secret ", name));
  records_[name] = record;
  PublishLocked();
  return record;
}

absl::Status SecretKeeper::Remove(const std::string& name) {
  base::MutexLock lock(mutex_);
  if (!records_.contains(name)) {
    return absl::NotFoundError(
        absl::StrCat("no secret ", name, " is set; `fairlead secret list` shows those that are"));
  }
  store::StoreBatch batch;
  batch.delete_secrets.push_back(name);
  RETURN_IF_ERROR(store_.Apply(batch), absl::StrCat("remove secret ", name));
  records_.erase(name);
  PublishLocked();
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> SecretKeeper::Rotate() {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckKeysLocked());
  KeyRing ring = ring_;
  ring.AddNewKey(random_);
  // First the file: a record whose key is nowhere would be lost.
  RETURN_IF_ERROR(WriteKeysLocked(ring));
  ring_ = ring;
  return EncryptAllLocked(ring_);
}

void SecretKeeper::SetProvided(resources::Variables provided) {
  base::MutexLock lock(mutex_);
  if (provided == provided_) return;
  provided_ = std::move(provided);
  PublishLocked();
}

std::vector<v1::SecretRecord> SecretKeeper::Records() const {
  base::MutexLock lock(mutex_);
  std::vector<v1::SecretRecord> records;
  for (const auto& [name, record] : records_) records.push_back(record);
  return records;
}

std::string SecretKeeper::key_id() const {
  base::MutexLock lock(mutex_);
  return ring_.newest();
}

resources::VariableValue SecretKeeper::ValueOfLocked(const v1::SecretRecord& record) const {
  absl::StatusOr<std::string> value = ring_.Decrypt(record);
  if (value.ok()) return {*std::move(value), true, ""};
  return {"", true,
          absl::StrCat(value.status().message(), " (", key_file_,
                       "); put the file that it was set with back, or set it again")};
}

absl::Status SecretKeeper::CheckKeysLocked() const {
  std::vector<std::string> lost;
  for (const auto& [name, record] : records_) {
    if (!ring_.Has(record.key_id())) lost.push_back(name);
  }
  if (lost.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      key_file_, " lacks the keys of ", absl::StrJoin(lost, ", "),
      "; put the file that they were set with back, or remove them with `fairlead secret remove`"));
}

absl::Status SecretKeeper::WriteKeysLocked(const KeyRing& ring) {
  return base::Annotate(base::WriteFileAtomically(key_file_, ring.Text(), 0600),
                        "write the key file of secrets");
}

absl::StatusOr<std::size_t> SecretKeeper::EncryptAllLocked(const KeyRing& ring) {
  store::StoreBatch batch;
  for (const auto& [name, record] : records_) {
    if (record.key_id() == ring.newest()) continue;
    const absl::StatusOr<std::string> value = ring.Decrypt(record);
    // What cannot be opened stays as it is: perhaps its key comes back.
    if (!value.ok()) continue;
    v1::SecretRecord anew = record;
    ring.Encrypt(*value, random_, &anew);
    batch.put_secrets.push_back(std::move(anew));
  }
  if (batch.put_secrets.empty()) return 0;
  RETURN_IF_ERROR(store_.Apply(batch), "encrypt the secrets anew");
  for (const v1::SecretRecord& record : batch.put_secrets) records_[record.name()] = record;
  return batch.put_secrets.size();
}

void SecretKeeper::PublishLocked() {
  auto values = std::make_shared<resources::Variables>(provided_);
  for (const auto& [name, record] : records_) (*values)[name] = ValueOfLocked(record);
  current_ = std::move(values);
  if (on_change_) on_change_(current_);
}

}  // namespace fairlead::secrets
