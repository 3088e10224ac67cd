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

// One table: of each identity there is one record, of the type of its kind.
constexpr char kAccess[] = R"sql(
CREATE TABLE access (
  kind TEXT NOT NULL, key TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (kind, key));
CREATE TABLE audit (
  id INTEGER PRIMARY KEY NOT NULL, at INTEGER NOT NULL, record BLOB NOT NULL);
)sql";

constexpr char kAttempts[] = R"sql(
CREATE TABLE attempts (
  resource TEXT PRIMARY KEY NOT NULL, record BLOB NOT NULL);
)sql";

constexpr absl::string_view kTable = "migrations";

absl::StatusOr<bool> HasTable(SqlSession& session, absl::string_view name) {
  ASSIGN_OR_RETURN(const std::vector<SqlTable> tables, session.Tables());
  for (const SqlTable& table : tables) {
    if (table.name == name) return true;
  }
  return false;
}

absl::Status ApplyOne(SqlSession& session, const Migration& migration, absl::Time now) {
  RETURN_IF_ERROR(session.Execute(session.InDialect(migration.sql)));
  return session.Run(
      "INSERT INTO migrations (version, name, applied_at) VALUES ($1, $2, $3)",
      {SqlValue::Integer(migration.version), SqlValue::Text(migration.name),
       SqlValue::Text(absl::FormatTime(absl::RFC3339_sec, now, absl::UTCTimeZone()))});
}

}  // namespace

const std::vector<Migration>& Migrations() {
  static const std::vector<Migration>* const migrations =
      new std::vector<Migration>{{.version = 1, .name = "records", .sql = kRecords},
                                 {.version = 2, .name = "history", .sql = kHistory},
                                 {.version = 3, .name = "runs", .sql = kRuns},
                                 {.version = 4, .name = "made", .sql = kMade},
                                 {.version = 5, .name = "access", .sql = kAccess},
                                 {.version = 6, .name = "attempts", .sql = kAttempts}};
  return *migrations;
}

absl::StatusOr<int> SchemaVersion(SqlSession& session) {
  ASSIGN_OR_RETURN(const bool ours, HasTable(session, kTable));
  if (ours) {
    ASSIGN_OR_RETURN(const int64_t version,
                     session.QueryInteger("SELECT coalesce(max(version), 0) FROM migrations"));
    return static_cast<int>(version);
  }
  ASSIGN_OR_RETURN(const std::vector<SqlTable> tables, session.Tables());
  if (tables.empty()) return 0;
  return absl::FailedPreconditionError(
      absl::StrCat(session.name(), " belongs to another program: it has tables, but none of ",
                   "Fairlead's; name another one"));
}

absl::Status CheckSchemaIsKnown(absl::string_view what, int version,
                                const std::vector<Migration>& migrations) {
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  if (version <= newest) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(what, " was written by a newer Fairlead: its schema is ", version,
                   ", this version knows up to ", newest,
                   "; install that version again, or restore a backup made before the upgrade"));
}

absl::Status MigrateInTransaction(SqlSession& session, const std::vector<Migration>& migrations,
                                  absl::Time now) {
  ASSIGN_OR_RETURN(const int version, SchemaVersion(session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session.name(), version, migrations));
  RETURN_IF_ERROR(session.Execute(session.InDialect(
      "CREATE TABLE IF NOT EXISTS migrations ("
      "version INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL)")));
  for (const Migration& migration : migrations) {
    if (migration.version <= version) continue;
    RETURN_IF_ERROR(ApplyOne(session, migration, now),
                    absl::StrCat("migration ", migration.version, " (", migration.name, ")"));
  }
  return absl::OkStatus();
}

absl::Status ApplyMigrations(SqlSession& session, const std::vector<Migration>& migrations,
                             absl::Time now) {
  ASSIGN_OR_RETURN(const int version, SchemaVersion(session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session.name(), version, migrations));
  // The usual start does not wait for anybody.
  if (!migrations.empty() && version == migrations.back().version) return absl::OkStatus();
  RETURN_IF_ERROR(session.Begin());
  absl::Status status = MigrateInTransaction(session, migrations, now);
  if (status.ok()) status = session.Commit();
  session.Rollback();
  return status;
}

}  // namespace fairlead::store
