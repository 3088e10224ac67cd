// Resource files on this machine.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// Files that could be read, and what was in the way of others.
struct SourceTree {
  std::vector<v1::SourceFile> files;
  std::vector<v1::Problem> problems;
};

// The .toml files at or below each path, in sorted order; folders whose name starts with a dot
// are left out, as are symbolic links, with a notice. NotFound names a path that is not there; a
// named file counts whatever its ending. What cannot be read, or is beyond the limit of a file,
// is a problem.
absl::StatusOr<SourceTree> ReadSourceFiles(const std::vector<std::string>& paths);

// The .toml files below `root` and the files that the stacks declared in them name, with paths
// relative to `root`. Symbolic links are left out, as the controller does. The first file that
// cannot be read is an error.
absl::StatusOr<std::vector<v1::SourceFile>> ReadWorkingTree(const std::string& root,
                                                            v1::Dialect dialect);

// InvalidArgument with the text of the first error among the problems.
absl::Status FirstError(const std::vector<v1::Problem>& problems);

}  // namespace fairlead::cli
