#include "controller/store/sqlite_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/store/limits.h"
#include "controller/store/migrations.h"

namespace fairlead::store {
namespace {

// `sql` takes the texts that `keys_of` gives, then the serialised record.
template <typename Record, typename KeysOf>
absl::Status PutRecords(SqliteConnection& connection, absl::string_view sql,
                        const std::vector<Record>& records, KeysOf keys_of) {
  if (records.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare(sql));
  for (const Record& record : records) {
    int parameter = 1;
    for (const std::string& key : keys_of(record)) statement.BindText(parameter++, key);
    RETURN_IF_ERROR(statement.BindBlob(parameter, record.SerializeAsString()).Run());
  }
  return absl::OkStatus();
}

absl::Status DeleteRecords(SqliteConnection& connection, absl::string_view sql,
                           const std::vector<std::string>& keys) {
  if (keys.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare(sql));
  for (const std::string& key : keys) {
    RETURN_IF_ERROR(statement.BindText(1, key).Run());
  }
  return absl::OkStatus();
}

// The statement selects the record, then a text that names it.
template <typename Record>
absl::Status ReadRows(SqliteStatement& statement, const std::string& path,
                      std::vector<Record>& records) {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return absl::OkStatus();
    if (!records.emplace_back().ParseFromString(statement.Bytes(0))) {
      return absl::DataLossError(
          absl::StrCat("database \"", path, "\": the record \"", statement.Bytes(1),
                       "\" cannot be read; stop the controller and put the last backup in place"));
    }
  }
}

template <typename Record>
absl::Status ReadRecords(SqliteConnection& connection, absl::string_view sql,
                         std::vector<Record>& records) {
  ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare(sql));
  return ReadRows(statement, connection.path(), records);
}

absl::Status WriteSettings(SqliteConnection& connection,
                           const std::map<std::string, std::string>& settings) {
  if (settings.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   connection.Prepare("INSERT OR REPLACE INTO settings VALUES (?, ?)"));
  for (const auto& [key, value] : settings) {
    RETURN_IF_ERROR(statement.BindText(1, key).BindBlob(2, value).Run());
  }
  return absl::OkStatus();
}

absl::Status DeleteFailedSpecs(SqliteConnection& connection,
                               const std::vector<std::pair<std::string, std::string>>& keys) {
  if (keys.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   connection.Prepare("DELETE FROM failed_specs WHERE resource = ?1 AND "
                                      "(?2 = '' OR spec_hash = ?2)"));
  for (const auto& [resource, hash] : keys) {
    RETURN_IF_ERROR(statement.BindText(1, resource).BindText(2, hash).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteHistory(SqliteConnection& connection,
                          const std::vector<v1::SpecRecord>& records) {
  if (records.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement put,
                   connection.Prepare("INSERT OR REPLACE INTO spec_history VALUES (?, ?, ?, ?)"));
  ASSIGN_OR_RETURN(
      SqliteStatement trim,
      connection.Prepare(absl::StrCat(
          "DELETE FROM spec_history WHERE resource = ?1 AND spec_hash NOT IN (SELECT spec_hash "
          "FROM spec_history WHERE resource = ?1 ORDER BY at DESC, spec_hash LIMIT ",
          kSpecsKept, ")")));
  for (const v1::SpecRecord& record : records) {
    RETURN_IF_ERROR(put.BindText(1, record.resource())
                        .BindText(2, record.spec_hash())
                        .BindInteger(3, absl::ToUnixMicros(base::FromProto(record.at())))
                        .BindBlob(4, record.SerializeAsString())
                        .Run());
    RETURN_IF_ERROR(trim.BindText(1, record.resource()).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteRuns(SqliteConnection& connection, const std::vector<v1::Run>& runs) {
  if (runs.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement put,
                   connection.Prepare("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)"));
  ASSIGN_OR_RETURN(SqliteStatement trim,
                   connection.Prepare(absl::StrCat(
                       "DELETE FROM runs WHERE resource = ?1 AND ended = 1 AND id NOT IN (SELECT "
                       "id FROM runs WHERE resource = ?1 AND ended = 1 ORDER BY created DESC, id "
                       "LIMIT ",
                       kRunsKept, ")")));
  for (const v1::Run& run : runs) {
    const bool ended = HasEnded(run);
    RETURN_IF_ERROR(put.BindText(1, run.id())
                        .BindText(2, run.resource())
                        .BindInteger(3, absl::ToUnixMicros(base::FromProto(run.created_at())))
                        .BindInteger(4, ended ? 1 : 0)
                        .BindBlob(5, run.SerializeAsString())
                        .Run());
    if (ended) RETURN_IF_ERROR(trim.BindText(1, run.resource()).Run());
  }
  return absl::OkStatus();
}

absl::Status AppendEvents(SqliteConnection& connection, const std::vector<v1::Event>& events) {
  if (events.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   connection.Prepare("INSERT INTO events VALUES (?, ?, ?)"));
  for (const v1::Event& event : events) {
    RETURN_IF_ERROR(statement.BindInteger(1, static_cast<int64_t>(event.id()))
                        .BindText(2, event.resource())
                        .BindBlob(3, event.SerializeAsString())
                        .Run(),
                    absl::StrCat("append event ", event.id()));
  }
  return absl::OkStatus();
}

absl::Status TrimEvents(SqliteConnection& connection) {
  return connection.Execute(
      absl::StrCat("DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT "
                   "1 OFFSET ",
                   kEventsKept, ")"));
}

template <typename Record>
absl::Status PutMade(SqliteConnection& connection, const std::string& kind,
                     const std::vector<Record>& records) {
  return PutRecords(
      connection, "INSERT OR REPLACE INTO made VALUES (?, ?, ?)", records,
      [&kind](const Record& r) { return std::vector<std::string>{r.resource(), kind}; });
}

template <typename Record>
absl::Status ReadMade(SqliteConnection& connection, const std::string& kind,
                      std::vector<Record>& records) {
  ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT record, resource FROM made WHERE kind = ? ORDER BY resource"));
  statement.BindText(1, kind);
  return ReadRows(statement, connection.path(), records);
}

absl::Status WriteDeletes(SqliteConnection& connection, const StoreBatch& batch) {
  RETURN_IF_ERROR(DeleteRecords(connection, "DELETE FROM inventory WHERE resource = ?",
                                batch.delete_inventory));
  RETURN_IF_ERROR(DeleteFailedSpecs(connection, batch.delete_failed_specs));
  RETURN_IF_ERROR(
      DeleteRecords(connection, "DELETE FROM holds WHERE resource = ?", batch.delete_holds));
  RETURN_IF_ERROR(
      DeleteRecords(connection, "DELETE FROM actions WHERE id = ?", batch.delete_actions));
  RETURN_IF_ERROR(
      DeleteRecords(connection, "DELETE FROM syncs WHERE name = ?", batch.delete_syncs));
  RETURN_IF_ERROR(
      DeleteRecords(connection, "DELETE FROM origins WHERE resource = ?", batch.delete_origins));
  RETURN_IF_ERROR(DeleteRecords(connection, "DELETE FROM approvals WHERE resource = ?",
                                batch.delete_approvals));
  RETURN_IF_ERROR(DeleteRecords(connection, "DELETE FROM spec_history WHERE resource = ?",
                                batch.delete_history));
  RETURN_IF_ERROR(DeleteRecords(connection, "DELETE FROM schedules WHERE resource = ?",
                                batch.delete_schedules));
  return DeleteRecords(connection, "DELETE FROM made WHERE resource = ?", batch.delete_made);
}

absl::Status WritePuts(SqliteConnection& connection, const StoreBatch& batch) {
  using Keys = std::vector<std::string>;
  RETURN_IF_ERROR(WriteSettings(connection, batch.put_settings));
  RETURN_IF_ERROR(PutRecords(
      connection, "INSERT OR REPLACE INTO inventory VALUES (?, ?, ?)", batch.put_inventory,
      [](const v1::InventoryEntry& r) { return Keys{r.resource(), r.server()}; }));
  RETURN_IF_ERROR(PutRecords(
      connection, "INSERT OR REPLACE INTO failed_specs VALUES (?, ?, ?)", batch.put_failed_specs,
      [](const v1::FailedSpec& r) { return Keys{r.resource(), r.spec_hash()}; }));
  RETURN_IF_ERROR(PutRecords(connection, "INSERT OR REPLACE INTO holds VALUES (?, ?)",
                             batch.put_holds,
                             [](const v1::Hold& r) { return Keys{r.resource()}; }));
  RETURN_IF_ERROR(PutRecords(connection, "INSERT OR REPLACE INTO actions VALUES (?, ?, ?, ?)",
                             batch.put_actions, [](const v1::ActionRecord& r) {
                               return Keys{r.action().id(), r.action().resource(), r.server()};
                             }));
  RETURN_IF_ERROR(PutRecords(connection, "INSERT OR REPLACE INTO syncs VALUES (?, ?)",
                             batch.put_syncs,
                             [](const v1::SyncRecord& r) { return Keys{r.name()}; }));
  RETURN_IF_ERROR(
      PutRecords(connection, "INSERT OR REPLACE INTO origins VALUES (?, ?, ?)", batch.put_origins,
                 [](const v1::OriginRecord& r) { return Keys{r.resource(), r.origin()}; }));
  RETURN_IF_ERROR(PutRecords(connection, "INSERT OR REPLACE INTO approvals VALUES (?, ?)",
                             batch.put_approvals,
                             [](const v1::Approval& r) { return Keys{r.resource()}; }));
  RETURN_IF_ERROR(PutRecords(connection, "INSERT OR REPLACE INTO schedules VALUES (?, ?)",
                             batch.put_schedules,
                             [](const v1::ScheduleRecord& r) { return Keys{r.resource()}; }));
  RETURN_IF_ERROR(PutMade(connection, "build", batch.put_builds));
  RETURN_IF_ERROR(PutMade(connection, "repo", batch.put_repos));
  RETURN_IF_ERROR(PutMade(connection, "procedure", batch.put_procedures));
  RETURN_IF_ERROR(WriteRuns(connection, batch.put_runs));
  return WriteHistory(connection, batch.put_history);
}

absl::Status ReadSettings(SqliteConnection& connection,
                          std::map<std::string, std::string>& settings) {
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   connection.Prepare("SELECT key, value FROM settings"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) return absl::OkStatus();
    settings[statement.Bytes(0)] = statement.Bytes(1);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               base::Clock& clock,
                                                               const SqliteOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> connection,
                   SqliteConnection::Open(path, options));
  // Found now, damage costs nothing; found in the middle of the work it costs a night.
  ASSIGN_OR_RETURN(const std::string check, connection->QueryText("PRAGMA quick_check(1)"));
  if (check != "ok") {
    return absl::DataLossError(absl::StrCat(
        "database \"", path, "\": the file is damaged (", check,
        "); stop the controller, keep a copy of the file, and put the last backup in its place"));
  }
  RETURN_IF_ERROR(ApplyMigrations(*connection, Migrations(), clock.Now()));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(connection)));
}

// The first append after a start trims, since the count of the last run is gone.
SqliteStore::SqliteStore(std::unique_ptr<SqliteConnection> connection)
    : connection_(std::move(connection)), appended_(kEventsBetweenTrims) {}

SqliteStore::~SqliteStore() = default;

absl::StatusOr<StoreImage> SqliteStore::Load() {
  base::MutexLock lock(mutex_);
  // One transaction, so that the image is of one moment even if another process writes.
  RETURN_IF_ERROR(connection_->Execute("BEGIN"), "load");
  absl::StatusOr<StoreImage> image = ReadLocked();
  connection_->Rollback();
  return image;
}

absl::Status SqliteStore::Apply(const StoreBatch& batch) {
  if (batch.empty()) return absl::OkStatus();
  base::MutexLock lock(mutex_);
  const std::size_t appended = appended_ + batch.append_events.size();
  const bool trim = !batch.append_events.empty() && appended >= kEventsBetweenTrims;
  RETURN_IF_ERROR(connection_->Begin());
  absl::Status status = WriteLocked(batch, trim);
  if (status.ok()) status = connection_->Commit();
  connection_->Rollback();
  if (status.ok()) appended_ = trim ? 0 : appended;
  return status;
}

absl::Status SqliteStore::WriteLocked(const StoreBatch& batch, bool trim) {
  RETURN_IF_ERROR(WriteDeletes(*connection_, batch));
  RETURN_IF_ERROR(WritePuts(*connection_, batch));
  RETURN_IF_ERROR(AppendEvents(*connection_, batch.append_events));
  return trim ? TrimEvents(*connection_) : absl::OkStatus();
}

absl::StatusOr<StoreImage> SqliteStore::ReadLocked() {
  SqliteConnection& db = *connection_;
  StoreImage image;
  RETURN_IF_ERROR(ReadSettings(db, image.settings));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM inventory ORDER BY resource", image.inventory));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM failed_specs ORDER BY resource, spec_hash",
                  image.failed_specs));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM holds ORDER BY resource", image.holds));
  RETURN_IF_ERROR(ReadRecords(db, "SELECT record, id FROM actions ORDER BY id", image.actions));
  RETURN_IF_ERROR(ReadRecords(db, "SELECT record, name FROM syncs ORDER BY name", image.syncs));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM origins ORDER BY resource", image.origins));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM approvals ORDER BY resource", image.approvals));
  RETURN_IF_ERROR(ReadRecords(
      db, "SELECT record, id FROM runs WHERE ended = 0 ORDER BY created, id", image.runs));
  RETURN_IF_ERROR(
      ReadRecords(db, "SELECT record, resource FROM schedules ORDER BY resource", image.schedules));
  RETURN_IF_ERROR(ReadMade(db, "build", image.builds));
  RETURN_IF_ERROR(ReadMade(db, "repo", image.repos));
  RETURN_IF_ERROR(ReadMade(db, "procedure", image.procedures));
  ASSIGN_OR_RETURN(const int64_t last, db.QueryInteger("SELECT coalesce(max(id), 0) FROM events"));
  image.last_event_id = static_cast<uint64_t>(last);
  return image;
}

absl::StatusOr<std::vector<v1::Event>> SqliteStore::ListEvents(const EventFilter& filter) {
  base::MutexLock lock(mutex_);
  const absl::string_view sql =
      filter.resource.empty()
          ? "SELECT record, id FROM events WHERE ?1 = '' ORDER BY id DESC LIMIT ?2"
          : "SELECT record, id FROM events WHERE resource = ?1 ORDER BY id DESC LIMIT ?2";
  ASSIGN_OR_RETURN(SqliteStatement statement, connection_->Prepare(sql));
  statement.BindText(1, filter.resource).BindInteger(2, filter.limit);
  std::vector<v1::Event> events;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, statement.Step());
    if (!row) break;
    if (!events.emplace_back().ParseFromString(statement.Bytes(0))) {
      return absl::DataLossError(absl::StrCat("database \"", connection_->path(), "\": event ",
                                              statement.Integer(1), " cannot be read"));
    }
  }
  std::reverse(events.begin(), events.end());
  return events;
}

absl::StatusOr<std::vector<v1::Run>> SqliteStore::ListRuns(const RunFilter& filter) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection_->Prepare("SELECT record, id FROM runs WHERE (?1 = '' OR id = ?1) AND (?2 = '' OR "
                           "resource = ?2) ORDER BY created DESC, id LIMIT ?3"));
  statement.BindText(1, filter.id).BindText(2, filter.resource).BindInteger(3, filter.limit);
  std::vector<v1::Run> runs;
  RETURN_IF_ERROR(ReadRows(statement, connection_->path(), runs));
  return runs;
}

absl::StatusOr<std::vector<v1::SpecRecord>> SqliteStore::ListHistory(const std::string& resource) {
  base::MutexLock lock(mutex_);
  ASSIGN_OR_RETURN(SqliteStatement statement,
                   connection_->Prepare("SELECT record, spec_hash FROM spec_history WHERE "
                                        "resource = ? ORDER BY at DESC, spec_hash"));
  statement.BindText(1, resource);
  std::vector<v1::SpecRecord> records;
  RETURN_IF_ERROR(ReadRows(statement, connection_->path(), records));
  return records;
}

}  // namespace fairlead::store
