// What the agent remembers of containers it made, adopted or set aside.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"

#include "agent/record_storage.h"
#include "base/mutex.h"

namespace fairlead::agent {

struct ContainerRecord {
  std::string resource;
  std::string spec_hash;
  // The action that made or adopted it.
  std::string action;
  // As of that action.
  std::map<std::string, std::string> section_hash;
  // Runs by adoption: its labels are not ours.
  bool adopted = false;
  // Of an adopted container: its probe, as the label would say it (probe_schedule.h).
  std::string probe;
  // Set while it waits as NAME.fairlead-old: what to give back to it.
  struct Aside {
    std::string restart_policy;
    bool was_running = true;
    bool operator==(const Aside&) const = default;
  };
  std::optional<Aside> aside;

  bool operator==(const ContainerRecord&) const = default;
};

// One file of the data directory, in memory, rewritten at every change. Shared by the runtime and
// the reporter, which it outlives. Thread-safe.
class ContainerRecords {
 public:
  // Load must succeed before anything else is called. `path` is the file.
  explicit ContainerRecords(const std::string& path);
  explicit ContainerRecords(RecordStorage storage);

  // A missing file is empty; one that cannot be read as records is an error.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mutex_);

  std::optional<ContainerRecord> Find(const std::string& id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // All, by container id.
  std::map<std::string, ContainerRecord> All() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Durable when it returns OK.
  absl::Status Put(const std::string& id, const ContainerRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status SaveLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RecordStorage storage_;
  // Also held while the file is written: a record must be durable before the next one is.
  mutable base::Mutex mutex_;
  std::map<std::string, ContainerRecord> records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
