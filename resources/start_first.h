// Whether two containers of a deployment can be there at once.
#pragma once

#include <optional>
#include <string>

#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// Why `strategy = "start_first"` cannot be followed, with what to do about it; nothing when it can
// or is not asked for. Requires: interpolated.
std::optional<std::string> FindStartFirstFault(const v1::Resource& resource);

}  // namespace fairlead::resources
