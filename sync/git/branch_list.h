// Which branches there are, for messages; for the files of this folder only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "sync/git/libgit2.h"

namespace fairlead::git {

// Names of the local branches, without refs/heads/, sorted.
absl::StatusOr<std::vector<std::string>> ListBranches(git_repository* repository);

// NotFound: what was looked for, and what is there instead.
absl::Status MissingReference(absl::string_view reference,
                              const std::vector<std::string>& branches);

}  // namespace fairlead::git
