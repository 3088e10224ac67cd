// What can be said of resource files without a controller.
#pragma once

#include <cstddef>
#include <vector>

#include "cli/source_files.h"
#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::cli {

struct Validation {
  std::size_t files = 0;
  // Each once, also those with errors.
  std::size_t resources = 0;
  // In order of place. Of one file at most kMostListed, then one that says how many more.
  std::vector<v1::Problem> problems;
  // Also those that are not listed.
  std::size_t errors = 0;
  std::size_t warnings = 0;
};

inline constexpr std::size_t kMostListed = 100;

struct ValidationRules {
  v1::Dialect dialect = v1::DIALECT_TOML;
  // References to what the files do not declare are errors, not warnings.
  bool strict = false;
};

// Reads the files and holds them against each other.
Validation Validate(const SourceTree& tree, const ValidationRules& rules);

}  // namespace fairlead::cli
