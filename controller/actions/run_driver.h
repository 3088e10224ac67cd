// Runs and schedules beside the core.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/actions/run_engine.h"
#include "controller/actions/scheduler.h"
#include "controller/loop/companion.h"

namespace fairlead::actions {

// Carries the engine's requests to the core and the core's reports to the engine, and begins what
// the schedules say. Confined to the loop's thread.
class RunDriver final : public loop::Companion {
 public:
  // `fetch` begins to fetch a sync and returns at once; OnFetched follows on the loop's thread.
  // `random` outlives the driver.
  RunDriver(const store::StoreImage& image, base::Random& random, absl::TimeZone local,
            std::function<void(const FetchOrder&)> fetch);

  void BeforePass(loop::Core& core, absl::Time now) override;
  void AfterPass(loop::Core& core, loop::CoreOutput& output, absl::Time now) override;
  void OnActionLog(const v1::ActionLog& log, absl::Time now) override;
  void OnProgress(const v1::ActionProgress& progress, absl::Time now) override;
  absl::Time wake_at() const override;

  // The branch that a build follows is at this commit: one that was not built is.
  void OnHead(const std::string& build, const std::string& commit) { heads_[build] = commit; }

  // Begins a copy of the database and returns at once; OnBackedUp follows on the loop's thread.
  // Without it there are no copies.
  void SetBackup(std::function<void(const std::string& request_id)> backup) {
    backup_ = std::move(backup);
  }

  RunEngine& engine() { return engine_; }
  const Scheduler& scheduler() const { return scheduler_; }

 private:
  void BeginDue(loop::Core& core, absl::Time now);
  // Runs that something declared waits for.
  void BeginNeeded(const loop::LoopView& view, absl::Time now);
  void BeginAtHeads(loop::Core& core, absl::Time now);

  RunEngine engine_;
  Scheduler scheduler_;
  // Of the runs that ended in this pass.
  store::StoreBatch made_;
  // Something that is needed was not begun so far; what was refused is tried again then.
  bool needed_ = false;
  absl::Time needed_at_ = absl::InfinitePast();
  // By build: commits that were seen and not dealt with so far.
  std::map<std::string, std::string> heads_;
  const std::function<void(const FetchOrder&)> fetch_;
  std::function<void(const std::string& request_id)> backup_;
};

}  // namespace fairlead::actions
