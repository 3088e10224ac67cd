// Copies of the database beside it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/store.h"

namespace fairlead::controller {

// Makes a copy in `directory`, which is made when it is missing, named after the time, and removes
// all but the 14 newest ones. The path of the copy; an error says what was not done.
absl::StatusOr<std::string> BackUp(store::Store& store, const std::string& directory,
                                   absl::Time now);

}  // namespace fairlead::controller
