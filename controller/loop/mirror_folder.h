// Where the mirror of a sync or a repository is kept.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::loop {

// A folder name that no two names share and that stays below the mirrors' folder: letters, digits,
// '-' and '_' as they are, other bytes as %XX.
std::string FolderOf(absl::string_view name);

}  // namespace fairlead::loop
