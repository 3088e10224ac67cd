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

// SQLite would create the file readable by all; it holds the installation's hash key. One that is
// there is not opened: closing any descriptor of a file ends all POSIX locks of the process on it,
// and another process would remove the log that a connection of this one still writes to.
absl::Status MakePrivateFile(const std::string& path) {
  if (access(path.c_str(), R_OK | W_OK) == 0) return absl::OkStatus();
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
  NoteResult(
      sqlite3_bind_text64(statement_, parameter, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(int parameter, absl::string_view value) {
  const char* bytes = value.data() == nullptr ? "" : value.data();
  NoteResult(sqlite3_bind_blob64(statement_, parameter, bytes, value.size(), SQLITE_STATIC));
  return *this;
}

SqliteStatement& SqliteStatement::BindInteger(int parameter, int64_t value) {
  NoteResult(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

SqliteStatement& SqliteStatement::Bind(const SqlValues& values) {
  int parameter = 1;
  for (const SqlValue& value : values) {
    switch (value.type) {
      case SqlType::kInteger:
        BindInteger(parameter++, value.integer);
        break;
      case SqlType::kText:
        BindText(parameter++, value.bytes);
        break;
      case SqlType::kBytes:
        BindBlob(parameter++, value.bytes);
        break;
    }
  }
  return *this;
}

void SqliteStatement::Reset() { sqlite3_reset(statement_); }

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_code_ != SQLITE_OK) return connection_.StatusOf(std::exchange(bind_code_, SQLITE_OK));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  absl::Status status = connection_.StatusOf(code);
  Reset();
  return status;
}

absl::Status SqliteStatement::Run() {
  bool more = true;
  while (more) {
    ASSIGN_OR_RETURN(more, Step());
  }
  Reset();
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

SqliteConnection::SqliteConnection(const std::string& path, sqlite3* database)
    : name_(absl::StrCat("database \"", path, "\"")), database_(database) {}

SqliteConnection::~SqliteConnection() {
  prepared_.clear();
  sqlite3_close_v2(database_);
}

absl::Status SqliteConnection::Configure(const SqliteOptions& options) {
  sqlite3_extended_result_codes(database_, 1);
  sqlite3_busy_timeout(database_,
                       static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  ASSIGN_OR_RETURN(const std::string mode, QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(
        absl::StrCat(name_, ": the file system does not support write-ahead ",
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

absl::StatusOr<SqliteStatement*> SqliteConnection::Prepared(const std::string& sql) {
  const auto known = prepared_.find(sql);
  if (known != prepared_.end()) return &known->second;
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_, sql.c_str(), static_cast<int>(sql.size() + 1),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return StatusOf(code);
  return &prepared_.emplace(sql, SqliteStatement(*this, statement)).first->second;
}

absl::Status SqliteConnection::Run(const std::string& sql, const SqlValues& values) {
  ASSIGN_OR_RETURN(SqliteStatement* const statement, Prepared(sql));
  return statement->Bind(values).Run();
}

absl::Status SqliteConnection::Query(const std::string& sql, const SqlValues& values,
                                     const OnRow& on_row) {
  ASSIGN_OR_RETURN(SqliteStatement* const statement, Prepared(sql));
  statement->Bind(values);
  while (true) {
    ASSIGN_OR_RETURN(const bool row, statement->Step());
    absl::Status status = row ? on_row(*statement) : absl::OkStatus();
    if (row && status.ok()) continue;
    // A statement left in the middle would keep its lock.
    statement->Reset();
    return status;
  }
}

absl::StatusOr<std::vector<SqlTable>> SqliteConnection::Tables() {
  std::vector<SqlTable> tables;
  RETURN_IF_ERROR(
      Query("SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE "
            "m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY m.name, c.cid",
            {}, [&tables](const SqlRow& row) {
              if (tables.empty() || tables.back().name != row.Bytes(0)) {
                tables.push_back({.name = row.Bytes(0)});
              }
              const std::string type = row.Bytes(2);
              tables.back().columns.push_back({row.Bytes(1), type == "INTEGER" ? SqlType::kInteger
                                                             : type == "BLOB"  ? SqlType::kBytes
                                                                               : SqlType::kText});
              return absl::OkStatus();
            }));
  return tables;
}

absl::Status SqliteConnection::Begin() { return Execute("BEGIN IMMEDIATE"); }

absl::Status SqliteConnection::BeginRead() { return Execute("BEGIN"); }

absl::Status SqliteConnection::Commit() { return Execute("COMMIT"); }

void SqliteConnection::Rollback() {
  // Some failures, such as a full disk, have rolled back already.
  if (sqlite3_get_autocommit(database_) == 0) {
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

absl::Status SqliteConnection::StatusOf(int code) const {
  const std::string what = absl::StrCat(
      name_, ": ", database_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database_));
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
