// What mirrors of syncs and of the repositories of stacks have in common.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/backoff.h"

namespace fairlead::loop {

// After a fetch that has failed.
inline constexpr base::BackoffPolicy kFailedFetch = {.initial = absl::Seconds(2),
                                                     .maximum = absl::Minutes(1)};

// A folder name that no two names share and that stays below the mirrors' folder: letters, digits,
// '-' and '_' as they are, other bytes as %XX.
std::string FolderOf(absl::string_view name);

}  // namespace fairlead::loop
