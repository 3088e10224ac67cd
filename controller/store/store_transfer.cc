#include "controller/store/store_transfer.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "controller/store/migrations.h"
#include "controller/store/postgres_store.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/store_dump.h"
#include "controller/store/store_lock.h"

namespace fairlead::store {
namespace {

constexpr std::size_t kBackupLimit = std::size_t{8} << 30;

absl::StatusOr<std::unique_ptr<SqlSession>> OpenSession(const StoreAddress& address) {
  if (address.postgres.has_value()) {
    ASSIGN_OR_RETURN(
        std::unique_ptr<SqlSession> session,
        PostgresConnection::Connect(*address.postgres, {.statement_timeout = absl::Minutes(10),
                                                        .application = "fairlead-transfer"}));
    return session;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> connection,
                   SqliteConnection::Open(address.sqlite_path, {}));
  RETURN_IF_ERROR(CheckIntegrity(*connection));
  return std::unique_ptr<SqlSession>(std::move(connection));
}

// One that is there: a file is not made by reading it.
absl::StatusOr<std::unique_ptr<SqlSession>> OpenSource(const StoreAddress& address) {
  if (!address.postgres.has_value() && ::access(address.sqlite_path.c_str(), F_OK) != 0) {
    return base::ErrnoStatus(errno, address.Name());
  }
  return OpenSession(address);
}

constexpr char kStopFirst[] = "stop the controller first";

struct SourceLocks {
  base::FileLock file;
  // As a data directory.
  base::FileLock folder;
};

// A controller that went on would write what the copy lacks.
absl::Status CheckUnused(const StoreAddress& address, SqlSession& session, SourceLocks& locks) {
  if (!address.postgres.has_value()) {
    ASSIGN_OR_RETURN(locks.file, LockIdleStore(address), kStopFirst);
    const std::string path =
        (std::filesystem::path(address.sqlite_path).parent_path() / "lock").string();
    if (::access(path.c_str(), F_OK) != 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(locks.folder, base::FileLock::Acquire(path), kStopFirst);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      const int64_t users,
      session.QueryInteger("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                           "current_database() AND application_name = 'fairlead-controller'"));
  if (users == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(session.name(), ": a controller uses it; stop the controller first"));
}

absl::StatusOr<StoreDump> DumpOf(SqlSession& session) {
  RETURN_IF_ERROR(session.BeginRead());
  absl::StatusOr<StoreDump> dump = ReadDump(session);
  session.Rollback();
  if (dump.ok() && dump->schema == 0) {
    return absl::NotFoundError(absl::StrCat(session.name(), ": there is no store in it"));
  }
  return dump;
}

TransferReport ReportOf(const StoreDump& dump) {
  return {dump.schema, dump.tables.size(), dump.records(), Fingerprint(dump)};
}

absl::Status Fill(const StoreAddress& to, const StoreDump& dump, TransferMode mode,
                  absl::Time now) {
  const bool is_new = !to.postgres.has_value() && ::access(to.sqlite_path.c_str(), F_OK) != 0;
  ASSIGN_OR_RETURN(std::unique_ptr<SqlSession> session, OpenSession(to));
  RETURN_IF_ERROR(session->Begin());
  absl::Status status = WriteDump(*session, dump, now);
  if (status.ok() && to.postgres.has_value()) status = MakeWriterTable(*session);
  if (status.ok() && mode == TransferMode::kDo) status = session->Commit();
  session->Rollback();
  session.reset();
  if (is_new && (!status.ok() || mode == TransferMode::kRehearse)) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
      ::unlink(absl::StrCat(to.sqlite_path, suffix).c_str());
    }
  }
  return status;
}

}  // namespace

std::string TransferReport::Text() const {
  return absl::StrCat(records, " records of ", tables, " tables (schema ", schema, ", sha256 ",
                      fingerprint, ")");
}

absl::StatusOr<TransferReport> BackUpStore(const StoreAddress& from, const std::string& file) {
  if (::access(file.c_str(), F_OK) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("\"", file, "\" is there already; backups are never overwritten"));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<SqlSession> session, OpenSource(from));
  ASSIGN_OR_RETURN(const StoreDump dump, DumpOf(*session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session->name(), dump.schema, Migrations()));
  RETURN_IF_ERROR(base::WriteFileAtomically(file, EncodeDump(dump), 0600));
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, kBackupLimit));
  ASSIGN_OR_RETURN(const StoreDump written, DecodeDump(text), file);
  const std::string difference = Difference(dump, written);
  if (!difference.empty()) return absl::DataLossError(absl::StrCat(file, ": ", difference));
  return ReportOf(written);
}

absl::StatusOr<TransferReport> RestoreStore(const std::string& file, const StoreAddress& to,
                                            absl::Time now) {
  ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, kBackupLimit));
  ASSIGN_OR_RETURN(const StoreDump dump, DecodeDump(text), file);
  RETURN_IF_ERROR(CheckSchemaIsKnown(absl::StrCat("\"", file, "\""), dump.schema, Migrations()));
  ASSIGN_OR_RETURN(const base::FileLock lock, LockIdleStore(to), kStopFirst);
  RETURN_IF_ERROR(Fill(to, dump, TransferMode::kDo, now));
  return ReportOf(dump);
}

absl::StatusOr<TransferReport> MoveStore(const StoreAddress& from, const StoreAddress& to,
                                         TransferMode mode, absl::Time now) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqlSession> session, OpenSource(from));
  SourceLocks locks;
  RETURN_IF_ERROR(CheckUnused(from, *session, locks));
  ASSIGN_OR_RETURN(const base::FileLock to_lock, LockIdleStore(to), kStopFirst);
  ASSIGN_OR_RETURN(const StoreDump dump, DumpOf(*session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session->name(), dump.schema, Migrations()));
  RETURN_IF_ERROR(Fill(to, dump, mode, now));
  return ReportOf(dump);
}

absl::StatusOr<std::string> RehearseMigrations(const StoreAddress& address, absl::Time now) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SqlSession> session, OpenSource(address));
  ASSIGN_OR_RETURN(const int version, SchemaVersion(*session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session->name(), version, Migrations()));
  std::string text = absl::StrCat(session->name(), " has schema ", version, "\n");
  for (const Migration& step : Migrations()) {
    if (step.version <= version) continue;
    absl::StrAppend(&text, "migration ", step.version, " (", step.name, ") can be applied\n");
  }
  RETURN_IF_ERROR(session->Begin());
  const absl::Status status = MigrateInTransaction(*session, Migrations(), now);
  session->Rollback();
  RETURN_IF_ERROR(status);
  return text;
}

}  // namespace fairlead::store
