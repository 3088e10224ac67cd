// A thin wall around SQLite's C interface: statuses, owned handles, nothing of its header.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

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

// A prepared statement. Must not outlive its connection. Not thread-safe.
class SqliteStatement {
 public:
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement);
  ~SqliteStatement();
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;

  // Parameters count from 1. A failure is returned by the next Step or Run.
  SqliteStatement& BindText(int parameter, absl::string_view value);
  SqliteStatement& BindBlob(int parameter, absl::string_view value);
  SqliteStatement& BindInteger(int parameter, int64_t value);

  // True when there is a row to read.
  absl::StatusOr<bool> Step();
  // Steps to the end and resets, ready for other values.
  absl::Status Run();

  // Of the current row; columns count from 0. Texts and blobs are both bytes.
  std::string Bytes(int column) const;
  int64_t Integer(int column) const;

 private:
  void NoteResult(int code);

  SqliteConnection& connection_;
  sqlite3_stmt* statement_;
  // First failed binding.
  int bind_code_ = 0;
};

// An open database. Not thread-safe.
class SqliteConnection {
 public:
  // Makes the file, readable by its owner only, when it is not there. Sets WAL mode, full
  // synchronisation and foreign keys.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path,
                                                                const SqliteOptions& options);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Runs statements that return nothing that matters.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(absl::string_view sql);

  // First column of the first row; empty when there is no row.
  absl::StatusOr<std::string> QueryText(absl::string_view sql);
  // The same as a number; 0 when there is no row.
  absl::StatusOr<int64_t> QueryInteger(absl::string_view sql);

  // Takes the write lock, so that a transaction never fails half way for want of it.
  absl::Status Begin();
  absl::Status Commit();
  // Does nothing outside a transaction. Never fails: what SQLite cannot roll back now, it rolls
  // back at the next open.
  void Rollback();

  // What SQLite's result code means here. ResourceExhausted: the disk is full. Unavailable: busy
  // or an I/O error. DataLoss: the file is damaged.
  absl::Status StatusOf(int code) const;

  const std::string& path() const { return path_; }

 private:
  SqliteConnection(std::string path, sqlite3* database)
      : path_(std::move(path)), database_(database) {}
  absl::Status Configure(const SqliteOptions& options);

  const std::string path_;
  sqlite3* const database_;
};

}  // namespace fairlead::store
