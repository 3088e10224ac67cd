// The line grammars of environment, labels, ports and volumes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Per line: trimmed; blank, '#' and '//' lines skipped; cut at the first " #"; a leading '-'
// stripped; split at the first '=' or ':'; both sides trimmed; a pair of outer quotes around the
// whole line removed, quotes around the value kept. InvalidArgument "line N: ..." for a line
// without separator, unless it is a lone [[PLACEHOLDER]]: that is a key with an empty value.
absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ParseKeyValues(
    absl::string_view text);

// The same pairs as KEY=VALUE lines, as env files have them.
absl::StatusOr<std::string> ToEnvironmentFile(absl::string_view text);

// Index from 0 of the first line that ParseKeyValues refuses.
std::optional<std::size_t> FindLineWithoutSeparator(absl::string_view text);

}  // namespace fairlead::resources
