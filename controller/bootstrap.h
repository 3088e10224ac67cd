// The file that a controller begins with.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "controller/loop/sync_poller.h"

namespace fairlead::controller {

// The bootstrap file as a source. Its errors are fatal: nobody else would show them.
absl::StatusOr<loop::SnapshotPointer> ReadBootstrap(const std::string& path);

// FAIRLEAD_GIT_TOKEN is for the servers that the operator names: in FAIRLEAD_GIT_DOMAINS, else by
// the syncs of the bootstrap file. What is declared in git names no more. The environment is set
// once, before the first fetch.
void LimitGitToken(const sync::SourceSnapshot& bootstrap);

}  // namespace fairlead::controller
