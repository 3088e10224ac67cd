// Images made of Dockerfiles.
#pragma once

#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "agent/git_checkout.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Builds, tags and pushes by `docker build`. Thread-safe for different actions.
class BuildRuntime {
 public:
  // Sources of running builds lie below `data_directory`/builds, only while they run; `engine` as
  // in DockerOptions; `checkouts` outlive this.
  BuildRuntime(const std::string& data_directory, std::string engine, GitCheckouts& checkouts);

  // A failure leaves nothing but docker's cache and, when only a push failed, the image. With what
  // is known of the last build, nothing is built when nothing has changed.
  absl::Status Build(ActionScope& scope, const v1::BuildImage& request) const;

  // Removes what a build that was cut by a crash left.
  void Forget(const std::string& action_id) const;

 private:
  std::string FolderOf(const std::string& action_id) const;

  const std::string data_directory_;
  const std::string engine_;
  GitCheckouts& checkouts_;
};

}  // namespace fairlead::agent
