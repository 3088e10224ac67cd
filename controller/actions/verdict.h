// Whether what a run has asked for has come about. Values in, value out.
#pragma once

#include <string>

#include "controller/loop/loop_view.h"
#include "resources/resource_id.h"

namespace fairlead::actions {

struct Verdict {
  enum class State { kWaiting, kDone, kFailed };
  State state = State::kWaiting;
  // What it waits for, or why it failed.
  std::string message;
};

// The resource is as declared, and healthy.
Verdict JudgeDeployed(const loop::LoopView& view, const resources::ResourceId& id);

// It is well again after a restart that succeeded; what is only watched has no more to show.
Verdict JudgeRestarted(const loop::LoopView& view, const resources::ResourceId& id);

// Nothing of it runs, by the hold that was asked for.
Verdict JudgeStopped(const loop::LoopView& view, const resources::ResourceId& id);

// The sync is at `revision`, and nothing of it is under way any more.
Verdict JudgeSynced(const loop::LoopView& view, const std::string& sync,
                    const std::string& revision);

// Why nothing can be asked of it: it is not declared, or not validly, or a disabled server. Waiting
// as below.
Verdict JudgeDeclared(const loop::LoopView& view, const resources::ResourceId& id);

// Why a run must leave the resource alone, before anything is asked for: it is not declared, or
// a person holds it. Waiting: nothing speaks against it, or the sources are not read yet (then
// with a message).
Verdict JudgeBeforehand(const loop::LoopView& view, const resources::ResourceId& id);

// Whether `who` of a hold is a run and not a person.
bool IsRun(const std::string& who);

}  // namespace fairlead::actions
