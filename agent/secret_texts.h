// Texts that must not leave the host.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "agent/record_storage.h"
#include "base/mutex.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

// Every secret the agent has been told of since it started. On disk there are only keyed hashes of
// them: after a restart they are found again where containers hold them. Shared by the runtime
// and the reporter, which it outlives. Thread-safe.
class SecretTexts {
 public:
  // Nothing is kept on disk.
  SecretTexts() = default;
  explicit SecretTexts(RecordStorage storage);

  // Before anything else. A missing file is empty; one that cannot be read is an error.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);

  void Add(const std::vector<std::string>& secrets) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Add; when it returns OK a later run of the agent can recover them.
  absl::Status Remember(const std::vector<std::string>& secrets,
                        const resources::SpecHasher& hasher) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds what an earlier run remembered and one of `texts` (an environment, a command) holds.
  void Recover(const std::vector<std::string>& texts, const resources::SpecHasher& hasher)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // `text` with every secret replaced by "***".
  std::string Redact(const std::string& text) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status SaveLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::optional<RecordStorage> storage_;
  mutable base::Mutex mutex_;
  std::set<std::string> secrets_ ABSL_GUARDED_BY(mutex_);
  // By length, so that texts are searched once for each: keyed hashes.
  std::map<std::size_t, std::set<std::string>> remembered_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
