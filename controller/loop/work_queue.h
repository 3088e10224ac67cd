// A queue of keys with delays: one key is never worked on twice at once.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"

namespace fairlead::loop {

// Adding a key that waits already makes it due at the earlier time; adding one that is being
// worked on lets it run once more afterwards. Thread-safe.
class WorkQueue {
 public:
  // `work` runs on one of `workers` threads. `clock` outlives the queue.
  WorkQueue(base::Clock& clock, int workers, std::function<void(const std::string& key)> work);
  // As Shutdown.
  ~WorkQueue();

  void Add(const std::string& key, absl::Duration delay = absl::ZeroDuration());
  // Drops the key unless it is being worked on.
  void Remove(const std::string& key);
  // Waits for running work and drops the rest.
  void Shutdown();

 private:
  void Run();
  // The key due first; removes it from `due_`. False when none is due.
  bool TakeLocked(absl::Time now, std::string* key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration UntilNextLocked(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Clock& clock_;
  const std::function<void(const std::string&)> work_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, absl::Time> due_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> active_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace fairlead::loop
