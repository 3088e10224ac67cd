// Waiting until what git says is true.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/session.h"

namespace fairlead::cli {

enum class Convergence {
  kConverged,
  // Nothing is under way any more, and it is not converged.
  kSettled,
  kTimedOut,
};

struct ConvergenceOptions {
  // Empty is all syncs.
  std::string sync;
  // Only a planning pass after this one counts.
  uint64_t after_generation = 0;
  absl::Duration timeout;
  // End when nothing is under way any more, instead of waiting for a change.
  bool stop_when_settled = false;
};

struct ConvergenceResult {
  Convergence outcome = Convergence::kTimedOut;
  v1::GetStatusResponse last;
};

// The stream whose events tell when to look again; opened before whatever is waited for begins,
// so that none is missed.
std::unique_ptr<EventStream> WatchProgress(ControllerClient& controller);

// Shows progress meanwhile: lines that change on a terminal, else one line for each event.
absl::StatusOr<ConvergenceResult> AwaitConvergence(Session& session, EventStream& events,
                                                   const ConvergenceOptions& options);

}  // namespace fairlead::cli
