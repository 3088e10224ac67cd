// From an execution to the command that a host is given. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/accounts/accounts.h"
#include "controller/actions/execution_terms.h"
#include "controller/loop/core.h"
#include "controller/loop/loop_view.h"

namespace fairlead::actions {

// What decides about a job beside the execution itself.
struct JobInput {
  const loop::LoopView& view;
  // The newest; outlives the call.
  const std::map<std::string, v1::BuildRecord>* builds = nullptr;
  // Null: no accounts are known.
  const controller::Accounts* accounts = nullptr;
  // Jobs under way, by server.
  std::map<std::string, uint32_t> load;
};

// Server, body, resource, guarantee and secrets of the job; the caller adds the rest. Unavailable
// when it can be tried again soon (no builder is connected); else what is wrong with the
// declaration, and what to do. Requires: IsJob, and the target is declared and valid.
absl::StatusOr<loop::HostJob> ComputeJob(const v1::Execution& execution, const JobInput& input);

}  // namespace fairlead::actions
