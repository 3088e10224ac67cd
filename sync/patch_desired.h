// The common commit, in which a few files changed and nothing came, went or moved.
#pragma once

#include <memory>
#include <vector>

#include "resources/spec_hash.h"
#include "sync/desired.h"

namespace fairlead::sync {

// What BuildDesiredState gives, at the cost of what changed: null when it has to look at
// everything, because resources came or went, changed their names, servers or order, or have
// problems. Internal to BuildDesiredState.
std::shared_ptr<const DesiredState> PatchDesiredState(
    const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
    const resources::SpecHasher& hasher, const DesiredOptions& options,
    const DesiredState& previous);

}  // namespace fairlead::sync
