// Steps of a Dockerfile in what a build prints.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::agent {

// "step 4/11: RUN make" of a line with which a step begins, by the classic builder ("Step 4/11 :
// RUN make") or by BuildKit ("#9 [web 4/11] RUN make", which says "step 4/11 of web: RUN make").
// Nothing of any other line.
std::optional<std::string> BuildStepOf(absl::string_view line);

}  // namespace fairlead::agent
