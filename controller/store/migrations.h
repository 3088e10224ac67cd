// The numbered forward steps of the database schema.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "controller/store/sqlite_connection.h"

namespace fairlead::store {

// A step once released is never changed; a correction is another step.
struct Migration {
  // From 1, without holes.
  int version = 0;
  std::string name;
  // Statements run in one transaction.
  std::string sql;
};

// In order of version.
const std::vector<Migration>& Migrations();

// Brings the database to the newest of `migrations`, each step in its own transaction.
// FailedPrecondition when a newer program has written it, or another one altogether.
absl::Status ApplyMigrations(SqliteConnection& connection, const std::vector<Migration>& migrations,
                             absl::Time now);

}  // namespace fairlead::store
