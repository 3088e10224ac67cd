// Names of people and programs.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace fairlead::resources {

// Letters, digits and ".-_@", a letter or digit first, 64 at most. InvalidArgument otherwise.
absl::Status CheckUserName(const std::string& name);

}  // namespace fairlead::resources
