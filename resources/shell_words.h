// A command line split into its arguments, as a shell does without expanding anything.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Words end at spaces and line ends. '...' is taken literally; in "..." a backslash escapes
// ", \, $, ` and a line end; elsewhere it escapes any character, and joins lines at a line end.
// InvalidArgument for a quote or backslash without its end.
absl::StatusOr<std::vector<std::string>> SplitShellWords(absl::string_view text);

}  // namespace fairlead::resources
