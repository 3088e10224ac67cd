// A small file that is read at the start and rewritten as a whole.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairlead::agent {

struct RecordStorage {
  // For messages.
  std::string name;
  // NotFound when nothing was written yet.
  std::function<absl::StatusOr<std::string>()> read;
  // Durable, and all or nothing, when it returns OK.
  std::function<absl::Status(const std::string&)> write;
};

// The file at `path`.
RecordStorage FileStorage(const std::string& path);

}  // namespace fairlead::agent
