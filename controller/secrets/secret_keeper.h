// Values of secret variables that were set on the controller, and those that others keep.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/secrets/key_ring.h"
#include "controller/store/store.h"
#include "fairlead/v1/secret.pb.h"
#include "resources/interpolation.h"

namespace fairlead::secrets {

// Thread-safe. Calls that change something block on the disk.
class SecretKeeper {
 public:
  using Values = std::shared_ptr<const resources::Variables>;

  // Reads the key file when it is there; the first Set makes it. One that is lost or does not fit
  // is no error: the secrets of its keys have no value then, and say why. References outlive the
  // keeper. Errors: of the key file, when it cannot be read or understood.
  static absl::StatusOr<std::unique_ptr<SecretKeeper>> Open(
      const std::string& key_file, const std::vector<v1::SecretRecord>& records,
      store::Store& store, base::Clock& clock, base::Random& random);

  // Called with each change from now on, from any thread, in order.
  void SetListener(std::function<void(Values)> on_change);
  Values Current() const;

  // The record as it is kept from now on. InvalidArgument: what cannot be a name or a value.
  // FailedPrecondition: the key file is lost; else as the store and the file.
  absl::StatusOr<v1::SecretRecord> Set(const std::string& name, const std::string& value,
                                       const std::string& who);
  // NotFound when it is not set.
  absl::Status Remove(const std::string& name);
  // Encrypts everything with a new key; how many. The former keys stay in the file for backups.
  absl::StatusOr<std::size_t> Rotate();

  // What others keep: one value for each variable. Those set on the controller go before them.
  void SetProvided(resources::Variables provided);

  std::vector<v1::SecretRecord> Records() const;
  std::string key_id() const;

 private:
  SecretKeeper(std::string key_file, store::Store& store, base::Clock& clock, base::Random& random)
      : key_file_(std::move(key_file)), store_(store), clock_(clock), random_(random) {}

  // Of a record.
  resources::VariableValue ValueOfLocked(const v1::SecretRecord& record) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // FailedPrecondition when a record's key is not in the ring.
  absl::Status CheckKeysLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteKeysLocked(const KeyRing& ring) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All records with the newest key of `ring`.
  absl::StatusOr<std::size_t> EncryptAllLocked(const KeyRing& ring)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string key_file_;
  store::Store& store_;
  base::Clock& clock_;
  base::Random& random_;

  mutable base::Mutex mutex_;
  KeyRing ring_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SecretRecord> records_ ABSL_GUARDED_BY(mutex_);
  resources::Variables provided_ ABSL_GUARDED_BY(mutex_);
  Values current_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const resources::Variables>();
  std::function<void(Values)> on_change_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::secrets
