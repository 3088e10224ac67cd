// What must not be done twice for one action.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fairlead::agent {

enum class OnceState {
  // It was never begun; now it is noted as begun.
  kBegun,
  // An earlier run of the agent began it and noted no end: its effect is unknown.
  kInterrupted,
  kSucceeded,
  kFailed,
};

struct OnceStanding {
  OnceState state = OnceState::kBegun;
  // Of a failure.
  std::string message;
};

// Durable notes of what was begun and ended for actions, a small file for each action below
// `folder`. The action itself may come again after a crash; what is noted here does not.
// Thread-safe for different actions.
class OnceRecord {
 public:
  explicit OnceRecord(std::string folder);

  // To be called before the effect, with a name that is unique within the action ("pre_build").
  // When it returns kBegun the note is on disk and the caller goes on; in every other state it does
  // not. An error: nothing could be noted, and nothing may be done.
  absl::StatusOr<OnceStanding> Begin(const std::string& action_id, const std::string& what) const;

  // The effect is there, or it failed with `result`, whose message goes to disk: Requires:
  // redacted.
  absl::Status End(const std::string& action_id, const std::string& what,
                   const absl::Status& result) const;

  // Once the outcome of the action is durable at the controller. One without notes is forgotten.
  void Forget(const std::string& action_id) const;

 private:
  std::string PathOf(const std::string& action_id) const;

  const std::string folder_;
};

}  // namespace fairlead::agent
