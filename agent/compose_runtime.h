// Compose projects.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "agent/compose_command.h"
#include "agent/stack_folder.h"
#include "base/mutex.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Makes compose projects equal to their files by `docker compose`, or `docker-compose` of version
// 1 where that is all there is. Thread-safe for different projects.
class ComposeRuntime {
 public:
  // Files and records live in `data_directory`/stacks/PROJECT, those of a look ahead in
  // `data_directory`/checks; `engine` as in DockerOptions.
  ComposeRuntime(std::string data_directory, std::string engine);

  absl::Status Apply(ActionScope& scope, const v1::ApplyStack& request) const;
  absl::Status Check(ActionScope& scope, const v1::CheckStack& request) const;
  absl::Status Adopt(ActionScope& scope, const v1::AdoptStack& request) const;
  absl::Status Remove(ActionScope& scope, const v1::RemoveStack& request) const;
  absl::Status Pull(ActionScope& scope, const v1::PullImages& request) const;
  absl::Status RunOne(ActionScope& scope, const v1::RunService& request) const;

 private:
  // Looked for once.
  absl::StatusOr<ComposeCommand> Compose(const ActionScope& scope) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // `down` with the files of the last apply.
  absl::Status Down(ActionScope& scope, const std::string& project,
                    const StackFolder& folder) const;

  const std::string data_directory_;
  const std::string engine_;
  mutable base::Mutex mutex_;
  mutable std::optional<ComposeCommand> compose_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
