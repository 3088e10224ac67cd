// The store in one SQLite file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/store/sqlite_connection.h"
#include "controller/store/store.h"
#include "controller/store/store_records.h"

namespace fairlead::store {

// DataLoss when the file is damaged; reads all of it.
absl::Status CheckIntegrity(SqliteConnection& connection);

// Keeps each record as one row: its key columns and the serialised message. Thread-safe: calls
// take turns, since one connection serves them all; the lock is held while the disk works.
class SqliteStore final : public Store {
 public:
  // Makes or migrates the database at `path`; its folder must be there. DataLoss when the file is
  // damaged, FailedPrecondition when a newer version or another program has written it; both
  // say what to do. `clock` is read during the call only.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path,
                                                           base::Clock& clock,
                                                           const SqliteOptions& options = {});
  ~SqliteStore() override;

  absl::StatusOr<StoreImage> Load() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Apply(const StoreBatch& batch) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const EventFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::Run>> ListRuns(const RunFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::SpecRecord>> ListHistory(const std::string& resource) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::AuditRecord>> ListAudit(const AuditFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit SqliteStore(std::unique_ptr<SqliteConnection> connection);

  base::Mutex mutex_;
  const std::unique_ptr<SqliteConnection> connection_ ABSL_PT_GUARDED_BY(mutex_);
  EventTrim trim_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::store
