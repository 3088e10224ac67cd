// Keeps the number of packs of a mirror small; for the files of this folder only.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

#include "sync/git/libgit2.h"

namespace fairlead::git {

// Every fetch adds a pack, and every lookup asks all of them. Once there are more than `limit`
// packs below 1 MiB, joins those into one and removes them; larger ones stay. Ended at any moment
// it loses nothing.
absl::Status JoinSmallPacks(git_repository* repository, const std::string& directory,
                            std::size_t limit = 64);

}  // namespace fairlead::git
