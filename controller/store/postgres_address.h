// Where a PostgreSQL database is and how it is logged in to.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace fairlead::store {

struct PostgresAddress {
  // libpq's connection parameters by keyword; may hold the password.
  std::map<std::string, std::string> parameters;

  // `database "fleet" at db.example.org:5432`: for messages.
  std::string Name() const;
  // As libpq takes it. Holds the password: never shown.
  std::string ConnectionString() const;
  // Of several hosts the second one becomes the first, and the first one the last.
  void PutNextHostFirst();
};

// Reads postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=...&sslrootcert=...]. What is
// not said is as libpq has it, from PGPASSFILE on. `password_file` wins over the address and may be
// empty. InvalidArgument without a part of the address, which may hold a password.
absl::StatusOr<PostgresAddress> ParsePostgresAddress(const std::string& url,
                                                     const std::string& password_file);

}  // namespace fairlead::store
