// Keeps the values of variables with `from` up to date: asks providers, again and again.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/loop/work_queue.h"
#include "controller/secrets/provider.h"
#include "resources/interpolation.h"

namespace fairlead::secrets {

// A value that was read stays in force while its provider cannot be asked. Thread-safe.
class SecretReader {
 public:
  // Both are called from worker threads: with all values whenever one has changed, and when a
  // variable cannot be read (again once the reason is another). `clock` outlives the reader.
  SecretReader(Providers providers, base::Clock& clock,
               std::function<void(resources::Variables)> on_values,
               std::function<void(const std::string& variable, const std::string& why)> on_problem);
  ~SecretReader();

  // The variables that exist now, each with its `from`.
  void Follow(const std::map<std::string, std::string>& variables);
  void Shutdown();

 private:
  struct Source {
    bool has_value = false;
    std::string value;
    // Of the last attempt; empty when it was well.
    std::string error;
    int failures = 0;
  };

  void Work(const std::string& from);
  // How long until `from` is asked again.
  absl::Duration Note(const std::string& from, const absl::StatusOr<std::string>& read,
                      absl::Duration refresh);
  absl::StatusOr<std::string> Ask(const std::string& from, absl::Duration* refresh);
  resources::Variables ValuesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Providers providers_;
  const std::function<void(resources::Variables)> on_values_;
  const std::function<void(const std::string&, const std::string&)> on_problem_;
  // Values go out one after the other, the newest last.
  base::Mutex publishing_ ABSL_ACQUIRED_BEFORE(mutex_);
  base::Mutex mutex_;
  std::map<std::string, std::string> variables_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
  // Last: its threads use the rest.
  loop::WorkQueue queue_;
};

}  // namespace fairlead::secrets
