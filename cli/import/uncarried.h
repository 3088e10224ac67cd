// What of a container no field of a deployment says.
#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>

namespace fairlead::cli {

// Paths into the inspected container, such as "HostConfig.CapAdd", in order. Both arguments are
// answers of the engine's inspect; `image` is that of the container, null when it is gone.
std::vector<std::string> FindUncarried(const boost::json::value& container,
                                       const boost::json::value& image);

}  // namespace fairlead::cli
