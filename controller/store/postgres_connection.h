// A thin wall around libpqxx: statuses instead of exceptions, nothing of its headers.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/postgres_address.h"
#include "controller/store/sql_session.h"

namespace fairlead::store {

struct PostgresOptions {
  // Of one attempt; whole seconds, unless the address says connect_timeout.
  absl::Duration connect_timeout = absl::Seconds(5);
  // The server ends a statement after it, and a wait for a lock too.
  absl::Duration statement_timeout = absl::Seconds(30);
  // Shown by pg_stat_activity.
  std::string application = "fairlead-controller";
};

// A statement with its values, to be run later.
struct SqlCall {
  std::string sql;
  SqlValues values;
  friend bool operator==(const SqlCall&, const SqlCall&) = default;
};

// Statements of a batch in memory. Not thread-safe.
class SqlCalls final : public SqlWriter {
 public:
  absl::Status Run(const std::string& sql, const SqlValues& values) override {
    calls.push_back({sql, values});
    return absl::OkStatus();
  }
  std::vector<SqlCall> calls;
};

// One connection; every commit is on the server's disk when it returns. Once lost it stays so:
// make another. Not thread-safe.
class PostgresConnection final : public SqlSession {
 public:
  // Unavailable: nobody answers. PermissionDenied: the login is refused. NotFound: no such
  // database. FailedPrecondition: it cannot be used, such as for its encoding.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Connect(
      const PostgresAddress& address, const PostgresOptions& options);
  ~PostgresConnection() override;
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  const std::string& name() const override { return name_; }
  absl::Status Execute(const std::string& sql) override;
  // Statements stay prepared at the server. InvalidArgument when a text has a NUL in it.
  absl::Status Run(const std::string& sql, const SqlValues& values) override;
  absl::Status Query(const std::string& sql, const SqlValues& values, const OnRow& on_row) override;
  // Of the first schema in the search path.
  absl::StatusOr<std::vector<SqlTable>> Tables() override;
  std::string InDialect(const std::string& sql) const override;
  // Waits for others that do the same in this database.
  absl::Status Begin() override;
  absl::Status BeginRead() override;
  absl::Status Commit() override;
  void Rollback() override;

  // One transaction in one message to the server and one back.
  absl::Status RunAll(const std::vector<SqlCall>& calls);

  // The connection broke off, or it may have: whether the last statement was done is not known.
  // After any other failure it was not.
  bool lost() const { return lost_; }
  // For who must end a wait from another thread; -1 when there is none.
  int socket() const;

 private:
  struct Link;
  PostgresConnection(std::string name, std::unique_ptr<Link> link);
  absl::Status Configure(const PostgresOptions& options);
  // "EXECUTE s1('a', 2)", the statement prepared.
  absl::StatusOr<std::string> CallOf(const std::string& sql, const SqlValues& values);
  absl::StatusOr<std::string> Quoted(const SqlValue& value);
  // Sends `sql`; rows may be ignored.
  absl::Status Send(const std::string& sql, const OnRow* on_row);

  const std::string name_;
  const std::unique_ptr<Link> link_;
  // Statement to its name at the server.
  std::unordered_map<std::string, std::string> prepared_;
  bool in_transaction_ = false;
  bool lost_ = false;
};

}  // namespace fairlead::store
