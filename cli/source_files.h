// Resource files on this machine.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// The .toml files at or below each path, in sorted order; folders whose name starts with a dot
// are left out. NotFound names a path that is not there; a named file counts whatever its ending.
absl::StatusOr<std::vector<v1::SourceFile>> ReadSourceFiles(const std::vector<std::string>& paths);

// The .toml files below `root` and the files that the stacks declared in them name, with paths
// relative to `root`.
absl::StatusOr<std::vector<v1::SourceFile>> ReadWorkingTree(const std::string& root,
                                                            v1::Dialect dialect);

}  // namespace fairlead::cli
