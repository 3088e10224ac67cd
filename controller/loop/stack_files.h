// The files of a stack, from a mirror.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"

#include "sync/desired.h"
#include "sync/git/mirror.h"

namespace fairlead::loop {

// Contents of the entries, whose paths lose their first `prefix_length` bytes. Symbolic links are
// left out. FailedPrecondition naming the path, and what to do, for what the repository has only a
// pointer to: submodules and files in LFS.
absl::StatusOr<sync::StackFiles> ReadStackFiles(git::Mirror& mirror, const git::FileList& entries,
                                                std::size_t prefix_length);

}  // namespace fairlead::loop
