// A thin wall around SQLite's C interface: statuses, owned handles, nothing of its header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/store/sql_session.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fairlead::store {

struct SqliteOptions {
  // How long a call waits for another process that writes.
  absl::Duration busy_timeout = absl::Seconds(5);
  // The database never grows beyond so many pages; 0 is SQLite's own limit.
  int64_t max_pages = 0;
};

class SqliteConnection;

// A prepared statement, and its current row. Must not outlive its connection. Not thread-safe.
class SqliteStatement final : public SqlRow {
 public:
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement);
  ~SqliteStatement() override;
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;

  // Parameters count from 1. Values are not copied: they stay where they are until Run or Reset. A
  // failure is returned by the next Step or Run.
  SqliteStatement& BindText(int parameter, absl::string_view value);
  SqliteStatement& BindBlob(int parameter, absl::string_view value);
  SqliteStatement& BindInteger(int parameter, int64_t value);
  SqliteStatement& Bind(const SqlValues& values);

  // True when there is a row to read.
  absl::StatusOr<bool> Step();
  // Steps to the end and resets, ready for other values.
  absl::Status Run();
  void Reset();

  // Of the current row; columns count from 0. Texts and blobs are both bytes.
  std::string Bytes(int column) const override;
  int64_t Integer(int column) const override;

 private:
  void NoteResult(int code);

  SqliteConnection& connection_;
  sqlite3_stmt* statement_;
  // First failed binding.
  int bind_code_ = 0;
};

// An open database. Not thread-safe.
class SqliteConnection final : public SqlSession {
 public:
  // Makes the file, readable by its owner only, when it is not there. Sets WAL mode, full
  // synchronisation and foreign keys.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path,
                                                                const SqliteOptions& options);
  ~SqliteConnection() override;
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  const std::string& name() const override { return name_; }
  absl::Status Execute(const std::string& sql) override;
  // Statements stay prepared until the connection closes.
  absl::Status Run(const std::string& sql, const SqlValues& values) override;
  absl::Status Query(const std::string& sql, const SqlValues& values, const OnRow& on_row) override;
  absl::StatusOr<std::vector<SqlTable>> Tables() override;

  // Takes the write lock, so that a transaction never fails half way for want of it.
  absl::Status Begin() override;
  absl::Status BeginRead() override;
  absl::Status Commit() override;
  // What SQLite cannot roll back now, it rolls back at the next open.
  void Rollback() override;

  // What SQLite's result code means here. ResourceExhausted: the disk is full. Unavailable: busy
  // or an I/O error. DataLoss: the file is damaged.
  absl::Status StatusOf(int code) const;

 private:
  SqliteConnection(const std::string& path, sqlite3* database);
  absl::Status Configure(const SqliteOptions& options);
  absl::StatusOr<SqliteStatement*> Prepared(const std::string& sql);

  const std::string name_;
  sqlite3* const database_;
  std::unordered_map<std::string, SqliteStatement> prepared_;
};

}  // namespace fairlead::store
