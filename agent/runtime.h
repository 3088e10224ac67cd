// Performs actions against the engine.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "absl/status/status.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/agent.pb.h"

namespace fairlead::agent {

// What a running action may use. Outlives the call.
struct ActionContext {
  // Polled between engine calls and while a process runs.
  std::function<bool()> is_cancelled;
  std::function<void(const v1::ActionProgress&)> report;
  // A process group was started for the action: the journal records it, so that a restarted
  // agent ends it.
  std::function<void(pid_t)> on_process_group;
  // Output of the action's programs, redacted and bounded; may be empty.
  std::function<void(const v1::ActionLog&)> log;
};

// Thread-safe: several actions run at once, never two for one resource.
class Runtime {
 public:
  virtual ~Runtime() = default;

  // Runs to the end, the deadline or a cancel; what went wrong is in the outcome. Idempotent for
  // *ensure* actions: continues from what the engine shows.
  virtual v1::ActionOutcome Run(const v1::Action& action, const ActionContext& context) = 0;

  // Lines of the containers of `request.resource` until the end, a cancel or, with follow, for
  // ever. NotFound when the resource has no container.
  virtual absl::Status Logs(const v1::LogRequest& request,
                            const std::function<void(const v1::LogLines&)>& send,
                            const std::function<bool()>& is_cancelled) = 0;

  // Which containers are ours, and the key for hashes over values that may be secret; from the
  // controller's Welcome. Called before the first action and again when they change.
  virtual void SetInstallation(const std::string& installation, const std::string& key_id,
                               const std::string& key) = 0;

  // The controller has the outcome of the action: what was noted for it is not needed any more.
  virtual void Forget(const std::string& action_id) = 0;
};

}  // namespace fairlead::agent
