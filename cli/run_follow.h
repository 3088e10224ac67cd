// Following a run on a terminal.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

#include "cli/session.h"

namespace fairlead::cli {

// Prints the log of the run from the last `tail` lines on (negative: all), as it comes, with what
// is under way below it, until the run has ended. Unimplemented, with nothing printed, when the
// controller does not know RunLog. Requires: session.is_live().
absl::Status FollowLive(Session& session, const std::string& id, int64_t tail, bool with_time);

}  // namespace fairlead::cli
