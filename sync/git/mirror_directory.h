// The folder of a mirror on disk; for the files of this folder only.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "sync/git/libgit2.h"

namespace fairlead::git {

// In it the home directory of whoever fetches, with the known hosts of the last time.
inline constexpr char kHomeFolder[] = "fetch-home";

// Opens the bare repository in `directory` or makes it. What is left of a damaged one is removed
// and made anew: a mirror holds nothing that a fetch does not bring back. FailedPrecondition when
// the folder holds anything that is not git's.
absl::StatusOr<Repository> OpenOrCreateRepository(const std::string& directory);

// Removes lock files and unfinished packs of a fetch that was killed. Requires: no fetch runs.
void RemoveLeftovers(const std::string& directory);

// Makes the next OpenOrCreateRepository start from nothing.
void MarkDamaged(const std::string& directory);

}  // namespace fairlead::git
