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
// The setting that remembers the id of the newest key.
constexpr char kNewestKey[] = "secret-key-id";

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

absl::StatusOr<std::unique_ptr<SecretKeeper>> SecretKeeper::Open(const KeyFile& file,
                                                                 const store::StoreImage& image,
                                                                 store::Store& store,
                                                                 base::Clock& clock,
                                                                 base::Random& random) {
  std::unique_ptr<SecretKeeper> keeper(new SecretKeeper(file.path, store, clock, random));
  const absl::StatusOr<std::string> text = base::ReadPrivateFile(file.path, kLargestKeyFile);
  if (!text.ok() && !absl::IsNotFound(text.status())) {
    return base::Annotate(text.status(), "key file of secrets");
  }
  base::MutexLock lock(keeper->mutex_);
  if (text.ok()) {
    ASSIGN_OR_RETURN(keeper->ring_, KeyRing::Parse(*text), absl::StrCat("key file ", file.path));
  }
  for (const v1::SecretRecord& record : image.secrets) keeper->records_[record.name()] = record;
  const auto newest = image.settings.find(kNewestKey);
  if (newest != image.settings.end()) keeper->newest_ = newest->second;
  keeper->TakeUpLocked(!text.ok() && file.make_at_start);
  keeper->PublishLocked();
  return keeper;
}

void SecretKeeper::TakeUpLocked(bool may_make) {
  const absl::Status keys = CheckKeysLocked();
  if (!keys.ok()) {
    base::LogError("secrets", keys.message());
    return;
  }
  // Without a file, and with nothing that needs or remembers a key.
  if (may_make) {
    const absl::Status made = AddKeyLocked();
    if (!made.ok()) base::LogWarning("secrets", made.message(), "; no secret can be set");
  }
  if (ring_.empty()) return;
  // An operator puts a new key in front of the others.
  const absl::StatusOr<std::size_t> done = EncryptAllLocked();
  if (!done.ok()) base::LogWarning("secrets", "encrypt anew: ", done.status().message());
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
  if (ring_.empty()) RETURN_IF_ERROR(AddKeyLocked());
  v1::SecretRecord record;
  record.set_name(name);
  ring_.Encrypt(value, random_, &record);
  *record.mutable_set_at() = base::ToProto(clock_.Now());
  record.set_set_by(who);
  const auto known = records_.find(name);
  record.set_version(known == records_.end() ? 1 : known->second.version() + 1);
  store::StoreBatch batch;
  batch.put_secrets.push_back(record);
  if (newest_ != ring_.newest()) batch.put_settings[kNewestKey] = ring_.newest();
  RETURN_IF_ERROR(store_.Apply(batch), absl::StrCat("keep secret ", name));
  newest_ = ring_.newest();
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
  const bool gives_up =
      !KeyProblemLocked().empty() && LostLocked() == std::vector<std::string>{name};
  if (gives_up) batch.put_settings[kNewestKey] = ring_.newest();
  RETURN_IF_ERROR(store_.Apply(batch), absl::StrCat("remove secret ", name));
  if (gives_up) {
    base::LogWarning("secrets", "key ", newest_, " is given up: no secret is left that needs it");
    newest_ = ring_.newest();
  }
  records_.erase(name);
  PublishLocked();
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> SecretKeeper::Rotate() {
  base::MutexLock lock(mutex_);
  if (!LostLocked().empty()) return CheckKeysLocked();
  const bool gives_up = !KeyProblemLocked().empty();
  // Giving up needs no new key where the file has one; perhaps it cannot be written.
  if (!gives_up || ring_.empty()) RETURN_IF_ERROR(AddKeyLocked());
  const std::string former = newest_;
  ASSIGN_OR_RETURN(const std::size_t count, EncryptAllLocked());
  if (gives_up) {
    base::LogWarning("secrets", "key ", former, " is given up: no secret needed it");
  }
  return count;
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

std::string SecretKeeper::key_problem() const {
  base::MutexLock lock(mutex_);
  return KeyProblemLocked();
}

resources::VariableValue SecretKeeper::ValueOfLocked(const v1::SecretRecord& record) const {
  absl::StatusOr<std::string> value = ring_.Decrypt(record);
  if (value.ok()) return {*std::move(value), true, ""};
  return {"", true,
          absl::StrCat(value.status().message(), " (", key_file_,
                       "); put the file that it was set with back, or remove it and set it again")};
}

std::vector<std::string> SecretKeeper::LostLocked() const {
  std::vector<std::string> lost;
  for (const auto& [name, record] : records_) {
    // Also where another key stands under its id.
    if (!ring_.Decrypt(record).ok()) lost.push_back(name);
  }
  return lost;
}

std::string SecretKeeper::KeyProblemLocked() const {
  if (newest_.empty() || ring_.Has(newest_)) return "";
  return absl::StrCat(key_file_, " lacks key ", newest_,
                      ", the newest; put the file with it there, that of the controller that was "
                      "active before or a copy, and restart");
}

absl::Status SecretKeeper::CheckKeysLocked() const {
  const std::string problem = KeyProblemLocked();
  const std::string lost = absl::StrJoin(LostLocked(), ", ");
  if (problem.empty() && lost.empty()) return absl::OkStatus();
  if (problem.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        key_file_, " lacks the keys of ", lost,
        "; put the file that they were set with back, or remove them with `fairlead secret "
        "remove`"));
  }
  if (lost.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(problem,
                     ". If it is lost for good: no secret needs it, and `fairlead secret rotate` "
                     "gives it up"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(problem, ". If it is lost for good: remove what is encrypted with lost keys (",
                   lost, ") with `fairlead secret remove`"));
}

absl::Status SecretKeeper::AddKeyLocked() {
  KeyRing ring = ring_;
  ring.AddNewKey(random_);
  RETURN_IF_ERROR(base::WriteFileAtomically(key_file_, ring.Text(), 0600),
                  "write the key file of secrets");
  ring_ = std::move(ring);
  base::LogInfo("secrets", "made key ", ring_.newest(), "; keep a copy of ", key_file_,
                " apart from backups of the database, and give it to the other controllers");
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> SecretKeeper::EncryptAllLocked() {
  store::StoreBatch batch;
  for (const auto& [name, record] : records_) {
    if (record.key_id() == ring_.newest()) continue;
    const absl::StatusOr<std::string> value = ring_.Decrypt(record);
    // What cannot be opened stays as it is: perhaps its key comes back.
    if (!value.ok()) continue;
    v1::SecretRecord anew = record;
    ring_.Encrypt(*value, random_, &anew);
    batch.put_secrets.push_back(std::move(anew));
  }
  if (newest_ != ring_.newest()) batch.put_settings[kNewestKey] = ring_.newest();
  if (batch.empty()) return 0;
  RETURN_IF_ERROR(store_.Apply(batch), "encrypt the secrets anew");
  newest_ = ring_.newest();
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
