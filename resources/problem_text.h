// Problems as compilers print them.
#pragma once

#include <string>

#include "fairlead/v1/common.pb.h"

namespace fairlead::resources {

// "path:line:column: error: message [code]", then the source line, a caret below the column and
// the suggestion, each on a line of its own and only where there is one. Control characters are
// escaped. Ends with a line end.
std::string FormatProblem(const v1::Problem& problem);

}  // namespace fairlead::resources
