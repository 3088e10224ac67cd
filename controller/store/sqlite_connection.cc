#include "controller/store/sqlite_connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"

namespace fairlead::store {
namespace {

constexpr absl::string_view kDamaged =
    "the file is damaged or not a database; stop the controller, keep a copy of the file, and put "
    "the last backup in its place";

// SQLite would create the file readable by all; it holds the installation's hash key.
absl::Status MakePrivateFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return base::ErrnoStatus(errno, absl::StrCat("open database \"", path, "\""));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

SqliteStatement::SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement)
    : connection_(connection), statement_(statement) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_code_(other.bind_code_) {}

void SqliteStatement::NoteResult(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

SqliteStatement& SqliteStatement::BindText(int parameter, absl::string_view value) {
  // A null pointer would bind NULL.
  const char* bytes = value.data() == nullptr ? "" : value.data();
  NoteResult(sqlite3_bind_text64(statement_, parameter, bytes, value.size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(int parameter, absl::string_view value) {
  const char* bytes = value.data() == nullptr ? "" : value.data();
  NoteResult(sqlite3_bind_blob64(statement_, parameter, bytes, value.size(), SQLITE_TRANSIENT));
  return *this;
}

SqliteStatement& SqliteStatement::BindInteger(int parameter, int64_t value) {
  NoteResult(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_code_ != SQLITE_OK) return connection_.StatusOf(std::exchange(bind_code_, SQLITE_OK));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  absl::Status status = connection_.StatusOf(code);
  sqlite3_reset(statement_);
  return status;
}

absl::Status SqliteStatement::Run() {
  bool more = true;
  while (more) {
    ASSIGN_OR_RETURN(more, Step());
  }
  sqlite3_reset(statement_);
  return absl::OkStatus();
}

std::string SqliteStatement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (bytes == nullptr || size <= 0) return "";
  return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(
    const std::string& path, const SqliteOptions& options) {
  RETURN_IF_ERROR(MakePrivateFile(path));
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  // SQLite gives a handle even on failure, to ask what happened.
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(path, database));
  if (code != SQLITE_OK) return connection->StatusOf(code);
  RETURN_IF_ERROR(connection->Configure(options));
  return connection;
}

SqliteConnection::~SqliteConnection() { sqlite3_close_v2(database_); }

absl::Status SqliteConnection::Configure(const SqliteOptions& options) {
  sqlite3_extended_result_codes(database_, 1);
  sqlite3_busy_timeout(database_,
                       static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  ASSIGN_OR_RETURN(const std::string mode, QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(
        absl::StrCat("database \"", path_, "\": the file system does not support write-ahead ",
                     "logging (shared memory is missing); use a local disk"));
  }
  RETURN_IF_ERROR(
      Execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"));
  if (options.max_pages > 0) {
    RETURN_IF_ERROR(Execute(absl::StrCat("PRAGMA max_page_count = ", options.max_pages)));
  }
  return absl::OkStatus();
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StatusOf(code);
}

absl::StatusOr<SqliteStatement> SqliteConnection::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return StatusOf(code);
  return SqliteStatement(*this, statement);
}

absl::StatusOr<std::string> SqliteConnection::QueryText(absl::string_view sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Bytes(0) : std::string();
}

absl::StatusOr<int64_t> SqliteConnection::QueryInteger(absl::string_view sql) {
  ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, statement.Step());
  return row ? statement.Integer(0) : int64_t{0};
}

absl::Status SqliteConnection::Begin() { return Execute("BEGIN IMMEDIATE"); }

absl::Status SqliteConnection::Commit() { return Execute("COMMIT"); }

void SqliteConnection::Rollback() {
  // Some failures, such as a full disk, have rolled back already.
  if (sqlite3_get_autocommit(database_) == 0) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

absl::Status SqliteConnection::StatusOf(int code) const {
  const std::string what =
      absl::StrCat("database \"", path_,
                   "\": ", database_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database_));
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(what, " (disk full)"));
    case SQLITE_IOERR:
      // The shared-memory file of the log reports a full disk as an I/O error.
      if (database_ != nullptr && sqlite3_system_errno(database_) == ENOSPC) {
        return absl::ResourceExhaustedError(absl::StrCat(what, " (disk full)"));
      }
      return absl::UnavailableError(what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat(what, " (another process is using it)"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(absl::StrCat(what, ": ", kDamaged));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(what);
    case SQLITE_CONSTRAINT:
      return absl::AlreadyExistsError(what);
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(what);
    default:
      return absl::InternalError(what);
  }
}

}  // namespace fairlead::store
