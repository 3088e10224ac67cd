// The numbered forward steps of the database schema, one list for all databases.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/store/sql_session.h"

namespace fairlead::store {

// A step once released is never changed; a correction is another step.
struct Migration {
  // From 1, without holes.
  int version = 0;
  std::string name;
  // Statements with the columns TEXT, INTEGER and BLOB; SqlSession::InDialect makes the rest.
  std::string sql;
};

// In order of version.
const std::vector<Migration>& Migrations();

// 0 of an empty database. FailedPrecondition when another program has written it.
absl::StatusOr<int> SchemaVersion(SqlSession& session);

// FailedPrecondition with a way out when `what` has a version that `migrations` do not know.
absl::Status CheckSchemaIsKnown(absl::string_view what, int version,
                                const std::vector<Migration>& migrations);

// Brings the database to the newest of `migrations`, all steps in one transaction: a failure or a
// kill in the middle leaves the version before, and the program before can still read it.
// FailedPrecondition when a newer program has written it, or another one altogether.
absl::Status ApplyMigrations(SqlSession& session, const std::vector<Migration>& migrations,
                             absl::Time now);

// The same inside the caller's transaction.
absl::Status MigrateInTransaction(SqlSession& session, const std::vector<Migration>& migrations,
                                  absl::Time now);

}  // namespace fairlead::store
