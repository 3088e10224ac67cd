// Records as rows: the statements of the store, the same for each database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "controller/store/sql_session.h"
#include "controller/store/store.h"

namespace fairlead::store {

// The statements of a batch in their order, without a transaction. `trim` also removes events
// beyond kEventsKept.
absl::Status WriteBatch(SqlWriter& writer, const StoreBatch& batch, bool trim);

// DataLoss when a record cannot be read; the message names it. The caller holds a transaction, so
// that the image is of one moment.
absl::StatusOr<StoreImage> ReadImage(SqlSession& session);

// Restricts a SELECT from the table to what backups and copies hold, with a space before it; may be
// empty. Sessions are left out: one that was ended must not come back with them.
std::string DumpedRowsOf(const std::string& table);

absl::StatusOr<std::vector<v1::Event>> ReadEvents(SqlSession& session, const EventFilter& filter);
absl::StatusOr<std::vector<v1::Run>> ReadRuns(SqlSession& session, const RunFilter& filter);
absl::StatusOr<std::vector<v1::AuditRecord>> ReadAudit(SqlSession& session,
                                                       const AuditFilter& filter);
absl::StatusOr<std::vector<v1::SpecRecord>> ReadHistory(SqlSession& session,
                                                        const std::string& resource);

// When old events are removed: not at each append. Confined to the lock of its store.
class EventTrim {
 public:
  // Whether a batch that appends so many is to remove old ones.
  bool IsDue(std::size_t appends) const;
  // The batch is durable.
  void Note(std::size_t appends);

 private:
  // Appended since old ones were last removed. The first append after a start removes, since the
  // count of the last run is gone.
  std::size_t appended_ = SIZE_MAX / 2;
};

}  // namespace fairlead::store
