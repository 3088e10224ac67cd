// Commands that people declare to be run on a host.
#pragma once

#include <string>

#include "fairlead/v1/common.pb.h"

namespace fairlead::resources {

// The text for /bin/sh -c: as it is in shell mode; else its lines joined with "&&", without empty
// ones and comments, each that ends with a backslash together with the next. A comment begins a
// line, or follows a space.
std::string ScriptOf(const v1::SystemCommand& command);

}  // namespace fairlead::resources
