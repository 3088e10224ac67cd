// Calls of the docker program, for what only it can do.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/action_scope.h"
#include "agent/host_command.h"
#include "agent/private_folder.h"
#include "agent/registry_login.h"

namespace fairlead::agent {

// Docker against the agent's engine, with a configuration of its own: neither the settings nor the
// logins of whoever runs the agent are read, only where the plugins are; the logins that it is
// given are gone with it. Confined to the action's thread.
class DockerCli {
 public:
  // `engine` as in DockerOptions; `scope` outlives this.
  static absl::StatusOr<DockerCli> Make(ActionScope& scope, const std::string& engine,
                                        const std::string& data_directory, const Logins& logins);

  struct Call {
    std::vector<std::string> arguments;
    std::string directory;
    // Besides those of every call.
    std::map<std::string, std::string> environment;
    ToolLines lines = ToolLines::kShown;
    // Also called with each line that is shown.
    std::function<void(absl::string_view)> on_line = nullptr;
  };
  // Whatever it ends with. FailedPrecondition when there is no docker program.
  absl::StatusOr<base::SubprocessResult> Run(const Call& call) const;

  absl::StatusOr<bool> HasBuildx() const;
  // Of the program; 0 when it does not tell.
  absl::StatusOr<int> MajorVersion() const;

  const PrivateFolder& folder() const { return folder_; }

 private:
  DockerCli(ActionScope& scope, std::string engine, PrivateFolder folder)
      : scope_(scope), engine_(std::move(engine)), folder_(std::move(folder)) {}

  ActionScope& scope_;
  const std::string engine_;
  // DOCKER_CONFIG.
  PrivateFolder folder_;
};

// What the last lines of a failed build or pull mean; `text` stays as it is.
absl::Status StatusOfDocker(absl::string_view text);

}  // namespace fairlead::agent
