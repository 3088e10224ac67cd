// What was changed and what was refused, in a chain that shows tampering.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/store/store.h"

namespace fairlead::access {

// A place in the chain: a record's id and hash. Id 0 with an empty hash is its beginning.
struct AuditPlace {
  uint64_t id = 0;
  std::string hash;

  // "17 9f86d0..."; "" is the beginning.
  std::string Text() const;
  static absl::StatusOr<AuditPlace> Parse(const std::string& text);
  friend bool operator==(const AuditPlace&, const AuditPlace&) = default;
};

// SHA-256 over the record before and all of this one but its hash.
std::string HashOf(const v1::AuditRecord& record);

// Goes along records in order. A value.
class AuditChain {
 public:
  // `before` is the record before the first one.
  explicit AuditChain(AuditPlace before) : at_(std::move(before)) {}

  // DataLoss names the record that was changed, or the one that is missing before it.
  absl::Status Add(const v1::AuditRecord& record);
  const AuditPlace& at() const { return at_; }

 private:
  AuditPlace at_;
};

struct AuditReport {
  uint64_t records = 0;
  uint64_t first_id = 0;
  AuditPlace head;
  // OK, or DataLoss naming the first record that is not as it was.
  absl::Status chain;
};

// Appends to the store. Thread-safe: records take turns while the disk works, since each holds the
// hash of the one before.
class AuditLog {
 public:
  // `store` and `clock` outlive the log. Records older than `retention` are removed from the
  // beginning, at most once in an hour. DataLoss when the settings of the image cannot be read.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Load(
      const std::map<std::string, std::string>& settings, store::Store& store, base::Clock& clock,
      absl::Duration retention);

  // Gives the records their ids, time and hashes, and stores them, all or none. After Unavailable,
  // DeadlineExceeded or ResourceExhausted they wait in memory, and go with the next ones or with
  // Flush; of more than a thousand the oldest are given up.
  absl::Status Append(const std::vector<v1::AuditRecord>& records) ABSL_LOCKS_EXCLUDED(mutex_);

  // Some wait, and the last attempt was five seconds ago. Never blocks.
  bool IsFlushDue() const;
  // Stores those that wait; does nothing when there are none. Fails as Append.
  absl::Status Flush() ABSL_LOCKS_EXCLUDED(mutex_);

  // Reads all records.
  absl::StatusOr<AuditReport> Verify() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  AuditLog(store::Store& store, base::Clock& clock, absl::Duration retention)
      : store_(store), clock_(clock), retention_(retention) {}

  // As AppendLocked; keeps those that can be stored later.
  absl::Status StoreLocked(std::vector<v1::AuditRecord> all, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AppendLocked(const std::vector<v1::AuditRecord>& records, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the place of the newest record that is stored.
  absl::Status CatchUpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds to the batch what removes old records.
  absl::Status TrimLocked(absl::Time now, store::StoreBatch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  base::Clock& clock_;
  const absl::Duration retention_;
  // When the next flush is due, in nanoseconds of uptime.
  std::atomic<int64_t> flush_at_{std::numeric_limits<int64_t>::max()};
  base::Mutex mutex_;
  // The newest record, and the last one that was removed.
  AuditPlace head_ ABSL_GUARDED_BY(mutex_);
  AuditPlace anchor_ ABSL_GUARDED_BY(mutex_);
  // With their times: what the store did not take yet.
  std::vector<v1::AuditRecord> late_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_trim_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace fairlead::access
