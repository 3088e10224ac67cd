// What the databases have in common: statements with values, rows, transactions.
//
// Statements are written once for all of them: parameters are $1, $2, ... in the order of their
// first appearance; columns are TEXT, INTEGER and BLOB.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::store {

enum class SqlType { kInteger, kText, kBytes };

// A value of a statement or of a row.
struct SqlValue {
  static SqlValue Integer(int64_t value) { return {SqlType::kInteger, value, ""}; }
  static SqlValue Text(std::string value) { return {SqlType::kText, 0, std::move(value)}; }
  static SqlValue Bytes(std::string value) { return {SqlType::kBytes, 0, std::move(value)}; }
  friend bool operator==(const SqlValue&, const SqlValue&) = default;

  SqlType type = SqlType::kText;
  int64_t integer = 0;
  // Of a text or of bytes.
  std::string bytes;
};
using SqlValues = std::vector<SqlValue>;

// One row of a query; valid during the call that shows it. Columns count from 0.
class SqlRow {
 public:
  virtual ~SqlRow() = default;
  // A text or bytes; of a number its digits.
  virtual std::string Bytes(int column) const = 0;
  virtual int64_t Integer(int column) const = 0;
};

// Takes statements that return nothing.
class SqlWriter {
 public:
  virtual ~SqlWriter() = default;
  virtual absl::Status Run(const std::string& sql, const SqlValues& values) = 0;
};

struct SqlColumn {
  std::string name;
  SqlType type = SqlType::kText;
  friend bool operator==(const SqlColumn&, const SqlColumn&) = default;
};

struct SqlTable {
  std::string name;
  // In the order of the table.
  std::vector<SqlColumn> columns;
  friend bool operator==(const SqlTable&, const SqlTable&) = default;
};

// An open database. Not thread-safe.
class SqlSession : public SqlWriter {
 public:
  using OnRow = std::function<absl::Status(const SqlRow&)>;

  // `database "..."`, for messages; never a password.
  virtual const std::string& name() const = 0;
  // Several statements without values.
  virtual absl::Status Execute(const std::string& sql) = 0;
  // Calls `on_row` for each row and ends with its first error.
  virtual absl::Status Query(const std::string& sql, const SqlValues& values,
                             const OnRow& on_row) = 0;
  // All tables in order of name, but not the database's own.
  virtual absl::StatusOr<std::vector<SqlTable>> Tables() = 0;
  // CREATE and ALTER statements as this database writes them.
  virtual std::string InDialect(const std::string& sql) const { return sql; }

  // Shuts out others who would change tables or make them; waits for them for a bounded time.
  virtual absl::Status Begin() = 0;
  // Reads see one moment, and others are not kept waiting.
  virtual absl::Status BeginRead() = 0;
  virtual absl::Status Commit() = 0;
  // Does nothing outside a transaction. Never fails.
  virtual void Rollback() = 0;

  // First column of the first row; empty when there is no row.
  absl::StatusOr<std::string> QueryText(const std::string& sql);
  // The same as a number; 0 when there is no row.
  absl::StatusOr<int64_t> QueryInteger(const std::string& sql);
};

}  // namespace fairlead::store
