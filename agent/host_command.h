// Commands on the host: those that people declare, and the tools that the agent calls.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "base/subprocess.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

enum class ToolLines { kShown, kHidden };

// Runs `options` as a part of the action: within its limits, its process group in the journal, and
// its lines as output of the action unless they are hidden; of these the result has the end only.
// What `options` says of limits is replaced; its `on_line` also gets lines that are shown.
absl::StatusOr<base::SubprocessResult> RunTool(ActionScope& scope, base::SubprocessOptions options,
                                               ToolLines lines = ToolLines::kShown);

struct HostCommandCall {
  // "pre_build": names it in errors and, with RunOnce, within the action.
  std::string what;
  // What a relative directory is relative to.
  std::string root;
  // Besides the agent's own.
  std::map<std::string, std::string> environment;
};

// Runs the script by /bin/sh, whose arguments do not show it. An empty script succeeds. NotFound
// when its directory is not there; FailedPrecondition with its last lines when it does not end with
// 0.
absl::Status RunHostCommand(ActionScope& scope, const v1::HostCommand& command,
                            const HostCommandCall& call);

// Runs `effect` at most once for the action, whatever crashes between: with what an earlier run of
// the agent noted as its end, or Aborted, and the outcome ACTION_STATUS_INTERRUPTED, when there is
// only the begin. `what` names it within the action and in errors.
absl::Status RunOnce(ActionScope& scope, const std::string& what,
                     const std::function<absl::Status()>& effect);

// As RunHostCommand, and RunOnce.
absl::Status RunHostCommandOnce(ActionScope& scope, const v1::HostCommand& command,
                                const HostCommandCall& call);

}  // namespace fairlead::agent
