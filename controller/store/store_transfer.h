// Backup, restore and move of a store, each checked before it is said to be done.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/store_address.h"

namespace fairlead::store {

struct TransferReport {
  // Version of the tables read.
  int schema = 0;
  std::size_t tables = 0;
  std::size_t records = 0;
  // Over every record; equal on both sides.
  std::string fingerprint;

  // "1234 records of 11 tables (schema 3, sha256 ...)".
  std::string Text() const;
};

// Writes all records but sessions, of one moment, to `file` (mode 0600; it holds the installation's
// hash key) and reads it back. The controller may run meanwhile. AlreadyExists when the file is
// there.
absl::StatusOr<TransferReport> BackUpStore(const StoreAddress& from, const std::string& file);

// Puts the records of a backup into an empty database, whichever kind it was made from. All or
// nothing. FailedPrecondition when the database has records, is of a newer version, or is a SQLite
// file that a controller uses.
absl::StatusOr<TransferReport> RestoreStore(const std::string& file, const StoreAddress& to,
                                            absl::Time now);

enum class TransferMode { kDo, kRehearse };

// Copies all records but sessions from one database to another, which must be empty; `from` stays
// as it is. A rehearsal does everything but keep it. FailedPrecondition while a controller uses
// `from`, or a SQLite file that is `to`.
absl::StatusOr<TransferReport> MoveStore(const StoreAddress& from, const StoreAddress& to,
                                         TransferMode mode, absl::Time now);

// What an upgrade of this database would do, as lines; nothing is kept of it.
absl::StatusOr<std::string> RehearseMigrations(const StoreAddress& address, absl::Time now);

}  // namespace fairlead::store
