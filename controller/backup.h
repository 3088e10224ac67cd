// Backups of the database, whichever kind it is.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/store_address.h"

namespace fairlead::controller {

// Writes all records, of one moment, to a file in `directory`, which is made when it is missing,
// named after the time, and removes all but the 14 newest ones. The path of the file, which
// `fairlead-controller restore` takes; an error says what was not done. Blocks on the database.
absl::StatusOr<std::string> BackUp(const store::StoreAddress& from, const std::string& directory,
                                   absl::Time now);

}  // namespace fairlead::controller
