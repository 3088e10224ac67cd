#include "controller/store/sqlite_store.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/store/migrations.h"

namespace fairlead::store {

absl::Status CheckIntegrity(SqliteConnection& connection) {
  ASSIGN_OR_RETURN(const std::string check, connection.QueryText("PRAGMA quick_check(1)"));
  if (check == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      connection.name(), ": the file is damaged (", check,
      "); stop the controller, keep a copy of the file, and put the last backup in its place"));
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               base::Clock& clock,
                                                               const SqliteOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> connection,
                   SqliteConnection::Open(path, options));
  // Found now, damage costs nothing; found in the middle of the work it costs a night.
  RETURN_IF_ERROR(CheckIntegrity(*connection));
  RETURN_IF_ERROR(ApplyMigrations(*connection, Migrations(), clock.Now()));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(connection)));
}

SqliteStore::SqliteStore(std::unique_ptr<SqliteConnection> connection)
    : connection_(std::move(connection)) {}

SqliteStore::~SqliteStore() = default;

absl::StatusOr<StoreImage> SqliteStore::Load() {
  base::MutexLock lock(mutex_);
  RETURN_IF_ERROR(connection_->BeginRead(), "load");
  absl::StatusOr<StoreImage> image = ReadImage(*connection_);
  connection_->Rollback();
  return image;
}

absl::Status SqliteStore::Apply(const StoreBatch& batch) {
  if (batch.empty()) return absl::OkStatus();
  base::MutexLock lock(mutex_);
  const std::size_t appends = batch.append_events.size();
  RETURN_IF_ERROR(connection_->Begin());
  absl::Status status = WriteBatch(*connection_, batch, trim_.IsDue(appends));
  if (status.ok()) status = connection_->Commit();
  connection_->Rollback();
  if (status.ok()) trim_.Note(appends);
  return status;
}

absl::StatusOr<std::vector<v1::Event>> SqliteStore::ListEvents(const EventFilter& filter) {
  base::MutexLock lock(mutex_);
  return ReadEvents(*connection_, filter);
}

absl::StatusOr<std::vector<v1::Run>> SqliteStore::ListRuns(const RunFilter& filter) {
  base::MutexLock lock(mutex_);
  return ReadRuns(*connection_, filter);
}

absl::StatusOr<std::vector<v1::SpecRecord>> SqliteStore::ListHistory(const std::string& resource) {
  base::MutexLock lock(mutex_);
  return ReadHistory(*connection_, resource);
}

absl::StatusOr<std::vector<v1::AuditRecord>> SqliteStore::ListAudit(const AuditFilter& filter) {
  base::MutexLock lock(mutex_);
  return ReadAudit(*connection_, filter);
}

}  // namespace fairlead::store
