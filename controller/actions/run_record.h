// The record of a run: made from a declaration, and small changes to it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/proto_time.h"
#include "controller/actions/execution_terms.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::actions {

// Stages and executions of a procedure, or the one execution of a resource_sync, build or repo;
// nothing has begun. `execution` is that one, where it is not the usual. Requires: one of these.
v1::Run MakeRun(const resources::ResourceId& id, const v1::Resource& spec,
                const v1::Execution& execution = {});

// Replaces each batch of the stage by the executions that it stands for. Notes in the log those
// that stand for nothing.
void ExpandStage(const sync::DesiredState& desired, absl::Time now, v1::Run& run,
                 v1::RunStage& stage);

// Nothing happens in it any more.
bool HasEnded(v1::RunState state);

// Ends an execution, a stage or a run.
template <typename Record>
void End(Record& record, v1::RunState state, absl::Time now) {
  record.set_state(state);
  *record.mutable_finished_at() = base::ToProto(now);
}

// When a Sleep that has begun is over; the infinite future for anything else.
absl::Time EndOfSleep(const v1::RunExecution& execution);

// "run/ID".
std::string NameOfRun(const v1::Run& run);

// What people read of the execution: `RestartDeployment deployment/web`.
std::string Title(const v1::RunExecution& execution);

// Adds a line to the log, which keeps the newest.
void Say(v1::Run& run, absl::Time now, absl::string_view text, bool warning = false);

}  // namespace fairlead::actions
