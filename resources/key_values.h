// The line grammars of environment, labels, ports and volumes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Per line: trimmed; blank, '#' and '//' lines skipped; cut at the first " #"; a leading '-'
// stripped; split at the first '=' or ':'; both sides trimmed; a pair of outer quotes around the
// whole line removed, quotes around the value kept. InvalidArgument "line N: ..." for a line
// without separator, unless it is a lone [[PLACEHOLDER]].
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseKeyValues(
    absl::string_view text);

}  // namespace fairlead::resources
