// Watches the engine and reports what is true, as it changes.
#pragma once

#include <functional>
#include <string>

#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// Events trigger, lists decide. Thread-safe.
class Reporter {
 public:
  virtual ~Reporter() = default;

  // The whole state is `state`; what follows are changes to it. Called from one thread of the
  // reporter, in order: first on_state, then on_delta; on_state again after SetInstallation.
  struct Callbacks {
    std::function<void(const v1::HostState& state)> on_state;
    std::function<void(const v1::HostDelta& delta)> on_delta;
  };
  // Starts watching. Called once.
  virtual void Start(Callbacks callbacks) = 0;
  // Ends the thread.
  virtual void Stop() = 0;

  // As Runtime::SetInstallation.
  virtual void SetInstallation(const std::string& installation, const std::string& key_id,
                               const std::string& key) = 0;
  // Looks again now and returns once what it found has been handed to the callbacks, or after
  // five seconds when the engine does not answer. Called after each action, so that the
  // controller sees an action's effect before its outcome.
  virtual void Refresh() = 0;
};

}  // namespace fairlead::agent
