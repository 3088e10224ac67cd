#include "controller/store/store_address.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "controller/store/postgres_store.h"
#include "controller/store/sqlite_store.h"

namespace fairlead::store {

std::string StoreAddress::Name() const {
  return postgres.has_value() ? postgres->Name() : absl::StrCat("database \"", sqlite_path, "\"");
}

absl::StatusOr<StoreAddress> ParseStoreAddress(absl::string_view text,
                                               const std::string& password_file) {
  StoreAddress address;
  if (absl::StartsWith(text, "postgresql://") || absl::StartsWith(text, "postgres://")) {
    ASSIGN_OR_RETURN(address.postgres, ParsePostgresAddress(std::string(text), password_file));
    return address;
  }
  address.sqlite_path = std::string(absl::StripPrefix(text, "sqlite:"));
  if (!absl::StartsWith(text, "sqlite:") || address.sqlite_path.empty()) {
    return absl::InvalidArgumentError(
        "the store is given as sqlite:PATH or as postgresql://USER@HOST:PORT/DATABASE");
  }
  if (!password_file.empty()) {
    return absl::InvalidArgumentError("a SQLite file has no password");
  }
  return address;
}

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const StoreAddress& address, base::Clock& clock,
                                                 base::Random& random, int64_t term) {
  if (address.postgres.has_value()) {
    PostgresStoreOptions options;
    options.term = term;
    ASSIGN_OR_RETURN(std::unique_ptr<Store> store,
                     PostgresStore::Open(*address.postgres, clock, random, options));
    return store;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, SqliteStore::Open(address.sqlite_path, clock));
  return store;
}

}  // namespace fairlead::store
