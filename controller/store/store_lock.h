// Keeps two programs from acting on one SQLite file.
#pragma once

#include "absl/status/statusor.h"

#include "base/file.h"
#include "controller/store/store_address.h"

namespace fairlead::store {

// Locks FILE.lock beside the SQLite file, which it makes when it is missing; whoever names the same
// file by another path or through a link takes the same lock. For a PostgreSQL database, which has
// a lease instead, it locks nothing. FailedPrecondition names the file, and the pid of whoever
// holds it.
absl::StatusOr<base::FileLock> LockStore(const StoreAddress& address);

// The same for who copies, where FILE.lock is there: whoever acts on the file has made it. Nothing
// is made that would belong to another user than the store.
absl::StatusOr<base::FileLock> LockIdleStore(const StoreAddress& address);

}  // namespace fairlead::store
