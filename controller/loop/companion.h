// A state machine beside the core.
#pragma once

#include "absl/time/time.h"

#include "controller/loop/core.h"

namespace fairlead::loop {

// Shares the loop's thread and its transactions: what it notes becomes durable together with what
// the core does about it, before anything is sent. Confined to the loop's thread.
class Companion {
 public:
  virtual ~Companion() = default;
  // Asks the core for what is due.
  virtual void BeforePass(Core& core, absl::Time now) = 0;
  // Learns what came of it, and adds its records to the batch.
  virtual void AfterPass(Core& core, CoreOutput& output, absl::Time now) = 0;
  // Output of an action, between two passes.
  virtual void OnActionLog(const v1::ActionLog& log, absl::Time now) = 0;
  // How far an action is, as of late; between two passes.
  virtual void OnProgress(const v1::ActionProgress& progress, absl::Time now) = 0;
  // When it wants a pass although nothing happens.
  virtual absl::Time wake_at() const = 0;
};

}  // namespace fairlead::loop
