#include "controller/store/migrations.h"

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace fairlead::store {
namespace {

constexpr char kRecords[] = R"sql(
CREATE TABLE settings (
  key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE inventory (
  resource TEXT PRIMARY KEY NOT NULL, server TEXT NOT NULL, record BLOB NOT NULL);
CREATE TABLE failed_specs (
  resource TEXT NOT NULL, spec_hash TEXT NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY (resource, spec_hash));
CREATE TABLE holds (
  resource TEXT PRIMARY KEY NOT NULL, record BLOB NOT NULL);
CREATE TABLE actions (
  id TEXT PRIMARY KEY NOT NULL, resource TEXT NOT NULL, server TEXT NOT NULL,
  record BLOB NOT NULL);
CREATE TABLE syncs (
  name TEXT PRIMARY KEY NOT NULL, record BLOB NOT NULL);
CREATE TABLE origins (
  resource TEXT PRIMARY KEY NOT NULL, origin TEXT NOT NULL, record BLOB NOT NULL);
CREATE TABLE events (
  id INTEGER PRIMARY KEY NOT NULL, resource TEXT NOT NULL, record BLOB NOT NULL);
CREATE INDEX events_of_resource ON events (resource, id);
)sql";

constexpr char kHistory[] = R"sql(
CREATE TABLE spec_history (
  resource TEXT NOT NULL, spec_hash TEXT NOT NULL, at INTEGER NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY (resource, spec_hash));
CREATE TABLE approvals (
  resource TEXT PRIMARY KEY NOT NULL, record BLOB NOT NULL);
)sql";

constexpr char kRuns[] = R"sql(
CREATE TABLE runs (
  id TEXT PRIMARY KEY NOT NULL, resource TEXT NOT NULL, created INTEGER NOT NULL,
  ended INTEGER NOT NULL, record BLOB NOT NULL);
CREATE INDEX runs_of_resource ON runs (resource, created);
CREATE TABLE schedules (
  resource TEXT PRIMARY KEY NOT NULL, record BLOB NOT NULL);
)sql";

// One table: of each resource there is one record, of the type of its kind.
constexpr char kMade[] = R"sql(
CREATE TABLE made (
  resource TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, record BLOB NOT NULL);
)sql";

// A database with tables, but not ours, must not be written to.
absl::Status CheckOwnership(SqliteConnection& connection) {
  ASSIGN_OR_RETURN(
      const int64_t ours,
      connection.QueryInteger(
          "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"));
  if (ours > 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const int64_t tables,
      connection.QueryInteger("SELECT count(*) FROM sqlite_master WHERE type = 'table'"));
  if (tables == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "database \"", connection.path(),
      "\" belongs to another program: it has tables, but none of Fairlead's; name another file"));
}

absl::Status ApplyOne(SqliteConnection& connection, const Migration& migration, absl::Time now) {
  RETURN_IF_ERROR(connection.Execute(migration.sql));
  ASSIGN_OR_RETURN(SqliteStatement record,
                   connection.Prepare("INSERT INTO migrations VALUES (?, ?, ?)"));
  return record.BindInteger(1, migration.version)
      .BindText(2, migration.name)
      .BindText(3, absl::FormatTime(absl::RFC3339_sec, now, absl::UTCTimeZone()))
      .Run();
}

absl::StatusOr<int64_t> VersionOf(SqliteConnection& connection) {
  return connection.QueryInteger("SELECT coalesce(max(version), 0) FROM migrations");
}

// Another process may have migrated between the look outside the transaction and the lock.
absl::Status ApplyOneIfStillMissing(SqliteConnection& connection, const Migration& migration,
                                    absl::Time now) {
  RETURN_IF_ERROR(connection.Begin());
  const absl::StatusOr<int64_t> version = VersionOf(connection);
  absl::Status status = version.status();
  if (status.ok() && *version < migration.version) status = ApplyOne(connection, migration, now);
  if (status.ok()) status = connection.Commit();
  connection.Rollback();
  return base::Annotate(status,
                        absl::StrCat("migration ", migration.version, " (", migration.name, ")"));
}

}  // namespace

const std::vector<Migration>& Migrations() {
  static const std::vector<Migration>* const migrations =
      new std::vector<Migration>{{.version = 1, .name = "records", .sql = kRecords},
                                 {.version = 2, .name = "history", .sql = kHistory},
                                 {.version = 3, .name = "runs", .sql = kRuns},
                                 {.version = 4, .name = "made", .sql = kMade}};
  return *migrations;
}

absl::Status ApplyMigrations(SqliteConnection& connection, const std::vector<Migration>& migrations,
                             absl::Time now) {
  RETURN_IF_ERROR(CheckOwnership(connection));
  RETURN_IF_ERROR(connection.Execute(
      "CREATE TABLE IF NOT EXISTS migrations ("
      "version INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL)"));
  ASSIGN_OR_RETURN(const int64_t version, VersionOf(connection));
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (version > newest) {
    return absl::FailedPreconditionError(absl::StrCat(
        "database \"", connection.path(), "\" was written by a newer Fairlead: its schema is ",
        version, ", this version knows up to ", newest,
        "; install that version again, or restore a backup made before the upgrade"));
  }
  for (const Migration& migration : migrations) {
    if (migration.version <= version) continue;
    RETURN_IF_ERROR(ApplyOneIfStillMissing(connection, migration, now));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::store
