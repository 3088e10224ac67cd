// Checkouts that people keep on a host.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "agent/git_checkout.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// The checkout's folder: absolute as it is, relative below `repos`. InvalidArgument for a path that
// leaves it, and for the root of the host.
absl::StatusOr<std::string> ComputeRepoDirectory(const std::string& repos,
                                                 const std::string& directory);

// Thread-safe for different resources.
class RepoRuntime {
 public:
  // Relative directories lie below `data_directory`/repos. `checkouts` outlive this.
  RepoRuntime(const std::string& data_directory, GitCheckouts& checkouts);

  // Checks out, writes the environment, then runs on_clone or on_pull, at most once for the action.
  absl::Status CheckOut(ActionScope& scope, const v1::CheckOutRepo& request) const;

 private:
  const std::string repos_;
  GitCheckouts& checkouts_;
};

}  // namespace fairlead::agent
