// Calls of the git program.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "agent/private_folder.h"
#include "base/subprocess.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct GitUrl {
  // Without user and password, but for the user of ssh, which is no secret.
  std::string text;
  // As they stood in the url; may be empty.
  std::string username;
  std::string password;
  // Host with port of http and https.
  std::string authority;
  // A path of this host.
  bool is_file = false;
};

// InvalidArgument for what git would not take as an address.
absl::StatusOr<GitUrl> ParseGitUrl(const std::string& url);

// Git for one source: with its login, which is in no argument and on disk only while this lives,
// and without the settings, hooks and helpers of whoever runs the agent. Confined to the action's
// thread.
class GitCommand {
 public:
  // `scope` outlives this.
  static absl::StatusOr<GitCommand> Make(ActionScope& scope, const v1::GitSource& source,
                                         const std::string& data_directory);

  struct Call {
    // Where git runs; empty: nowhere in particular.
    std::string directory;
    std::vector<std::string> arguments;
    std::string input;
    // Besides those of every call.
    std::map<std::string, std::string> environment;
    // What git prints is output of the action.
    bool is_shown = false;
    // The call reads repositories of this host by path.
    bool is_local = false;
  };
  // Whatever it ends with. FailedPrecondition when there is no git.
  absl::StatusOr<base::SubprocessResult> Try(const Call& call) const;
  // Standard output without the newline at its end; StatusOfGit when it does not end with 0.
  absl::StatusOr<std::string> Run(const Call& call) const;
  // What a result means that is not 0.
  absl::Status StatusOf(const base::SubprocessResult& result) const;

  const GitUrl& url() const { return url_; }
  const std::string& branch() const { return branch_; }
  const PrivateFolder& folder() const { return folder_; }

 private:
  GitCommand(ActionScope& scope, GitUrl url, std::string branch, PrivateFolder folder)
      : scope_(scope),
        url_(std::move(url)),
        branch_(std::move(branch)),
        folder_(std::move(folder)) {}
  absl::Status Prepare(const v1::GitSource& source);

  ActionScope& scope_;
  const GitUrl url_;
  const std::string branch_;
  PrivateFolder folder_;
  std::map<std::string, std::string> environment_;
};

}  // namespace fairlead::agent
