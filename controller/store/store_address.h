// Which database holds the store, as the command line says it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "base/ids.h"
#include "controller/store/postgres_address.h"
#include "controller/store/store.h"

namespace fairlead::store {

// A SQLite file, or else a PostgreSQL database.
struct StoreAddress {
  std::string sqlite_path;
  std::optional<PostgresAddress> postgres;

  // For messages; without a password.
  std::string Name() const;
};

// "sqlite:PATH" or "postgresql://..."; `password_file` (may be empty) is for the latter; only
// its owner may read it, else PermissionDenied.
// InvalidArgument without a part of the text, which may hold a password.
absl::StatusOr<StoreAddress> ParseStoreAddress(absl::string_view text,
                                               const std::string& password_file);

// Makes or migrates the tables. `clock` and `random` outlive the store. `term` is of the office in
// which a PostgreSQL database is written to; 0 where nobody is elected.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const StoreAddress& address, base::Clock& clock,
                                                 base::Random& random, int64_t term = 0);

}  // namespace fairlead::store
