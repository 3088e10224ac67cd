// Texts that must not leave the host.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace fairlead::agent {

// Every secret the agent has been told of since it started; never written to disk. Shared by the
// runtime and the reporter, which it outlives. Thread-safe.
class SecretTexts {
 public:
  void Add(const std::vector<std::string>& secrets) ABSL_LOCKS_EXCLUDED(mutex_);

  // `text` with every secret replaced by "***".
  std::string Redact(const std::string& text) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable base::Mutex mutex_;
  std::set<std::string> secrets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
