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

struct KeyFile {
  std::string path;
  // False: somebody else provides it, as systemd a credential.
  bool make_at_start = true;
};

// The store remembers which key is the newest, so that a controller with another key file knows
// that it is another one. Thread-safe. Calls that change something block on the disk.
class SecretKeeper {
 public:
  using Values = std::shared_ptr<const resources::Variables>;

  // Reads the key file, or makes it where neither a file nor a key has ever been. One that cannot
  // be made, is lost or does not fit is no error: it is logged, and the secrets of its keys have no
  // value and say why. References outlive the keeper. Errors: of the key file, when it cannot be
  // read or understood.
  static absl::StatusOr<std::unique_ptr<SecretKeeper>> Open(const KeyFile& file,
                                                            const store::StoreImage& image,
                                                            store::Store& store, base::Clock& clock,
                                                            base::Random& random);

  // Called with each change from now on, from any thread, in order.
  void SetListener(std::function<void(Values)> on_change);
  Values Current() const;

  // The record as it is kept from now on. InvalidArgument: what cannot be a name or a value.
  // FailedPrecondition: the key file is lost, or is not the newest; else as the store and the file.
  absl::StatusOr<v1::SecretRecord> Set(const std::string& name, const std::string& value,
                                       const std::string& who);
  // NotFound when it is not set. With the last secret that lacks its key that key is given up.
  absl::Status Remove(const std::string& name);
  // Encrypts everything with a new key; how many. The former keys stay in the file for backups.
  // FailedPrecondition while a secret lacks its key. A lost key that no secret needs is given up
  // for the newest of the file, where it has one.
  absl::StatusOr<std::size_t> Rotate();

  // What others keep: one value for each variable. Those set on the controller go before them.
  void SetProvided(resources::Variables provided);

  std::vector<v1::SecretRecord> Records() const;
  std::string key_id() const;
  // Which key the file lacks and what to do; empty when it has the newest. Names no secret.
  std::string key_problem() const;

 private:
  SecretKeeper(std::string key_file, store::Store& store, base::Clock& clock, base::Random& random)
      : key_file_(std::move(key_file)), store_(store), clock_(clock), random_(random) {}

  // Takes the ring of the file up, or makes the first one.
  void TakeUpLocked(bool may_make) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a record.
  resources::VariableValue ValueOfLocked(const v1::SecretRecord& record) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Names of the secrets whose key is not in the ring.
  std::vector<std::string> LostLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As key_problem.
  std::string KeyProblemLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // FailedPrecondition when the newest key or that of a record is not in the ring.
  absl::Status CheckKeysLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Puts a new key in front, in the file first: a record whose key is nowhere would be lost.
  absl::Status AddKeyLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All records with the newest key of the ring, which is remembered with them.
  absl::StatusOr<std::size_t> EncryptAllLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PublishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string key_file_;
  store::Store& store_;
  base::Clock& clock_;
  base::Random& random_;

  mutable base::Mutex mutex_;
  KeyRing ring_ ABSL_GUARDED_BY(mutex_);
  // Id of the newest key as the store remembers it; empty when it knows of none.
  std::string newest_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SecretRecord> records_ ABSL_GUARDED_BY(mutex_);
  resources::Variables provided_ ABSL_GUARDED_BY(mutex_);
  Values current_ ABSL_GUARDED_BY(mutex_) = std::make_shared<const resources::Variables>();
  std::function<void(Values)> on_change_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::secrets
