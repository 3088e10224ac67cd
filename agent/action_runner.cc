#include "agent/action_runner.h"

#include <algorithm>
#include <utility>

#include "agent/instance.h"
#include "base/log.h"
#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kCancelGrace = absl::Seconds(2);

v1::ActionOutcome NotRun(const v1::Action& action, v1::ActionStatus status, absl::StatusCode code,
                         const std::string& message) {
  v1::ActionOutcome outcome;
  outcome.set_status(status);
  outcome.set_code(static_cast<int32_t>(code));
  outcome.set_message(message);
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  return outcome;
}

}  // namespace

ActionRunner::ActionRunner(Runtime& runtime, Reporter& reporter, base::Clock& clock,
                           std::size_t workers, Callbacks callbacks)
    : runtime_(runtime), reporter_(reporter), clock_(clock), callbacks_(std::move(callbacks)) {
  for (std::size_t i = 0; i < workers; ++i) threads_.emplace_back([this] { Work(); });
}

ActionRunner::~ActionRunner() {
  Stop(absl::ZeroDuration());
  for (std::thread& thread : threads_) thread.join();
}

void ActionRunner::Start(const v1::Action& action) {
  auto job = std::make_shared<Job>();
  job->action = action;
  job->deadline = action.has_deadline() && base::FromProto(action.deadline()) > absl::ZeroDuration()
                      ? clock_.Now() + base::FromProto(action.deadline())
                      : absl::InfiniteFuture();
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  jobs_[action.id()] = job;
  queue_.push_back(std::move(job));
  changed_.SignalAll();
}

void ActionRunner::Cancel(const std::string& action_id) {
  base::MutexLock lock(mutex_);
  const auto found = jobs_.find(action_id);
  if (found != jobs_.end()) found->second->cancelled = true;
}

bool ActionRunner::Stop(absl::Duration grace) {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& job : queue_) jobs_.erase(job->action.id());
    queue_.clear();
    changed_.SignalAll();
  }
  if (WaitUntilIdle(grace)) return true;
  abandoned_ = true;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [id, job] : jobs_) job->cancelled = true;
  }
  return WaitUntilIdle(kCancelGrace);
}

bool ActionRunner::WaitUntilIdle(absl::Duration timeout) {
  // How long to wait for threads is real time, whatever the clock says.
  const absl::Time end = base::Clock::Real().Now() + timeout;
  base::MutexLock lock(mutex_);
  while (!jobs_.empty()) {
    const absl::Duration left = end - base::Clock::Real().Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

std::shared_ptr<ActionRunner::Job> ActionRunner::TakeLocked() {
  for (auto it = queue_.begin(); it != queue_.end(); ++it) {
    if (!busy_resources_.insert((*it)->action.resource()).second) continue;
    std::shared_ptr<Job> job = std::move(*it);
    queue_.erase(it);
    return job;
  }
  return nullptr;
}

void ActionRunner::Work() {
  while (true) {
    std::shared_ptr<Job> job;
    {
      base::MutexLock lock(mutex_);
      while (!stopping_ && (job = TakeLocked()) == nullptr) changed_.Wait(mutex_);
      if (job == nullptr) return;
    }
    const v1::ActionOutcome outcome = Perform(*job);
    // Before the job counts as ended: whoever waits for that may then rely on the outcome.
    if (!abandoned_) callbacks_.on_finished(outcome);
    base::MutexLock lock(mutex_);
    busy_resources_.erase(job->action.resource());
    jobs_.erase(job->action.id());
    changed_.SignalAll();
  }
}

v1::ActionOutcome ActionRunner::Perform(Job& job) const {
  v1::Action& action = job.action;
  if (job.cancelled) {
    return NotRun(action, v1::ACTION_STATUS_CANCELLED, absl::StatusCode::kCancelled,
                  "cancelled before it began");
  }
  const absl::Time began = clock_.Now();
  if (job.deadline != absl::InfiniteFuture()) {
    if (began >= job.deadline) {
      return NotRun(action, v1::ACTION_STATUS_FAILED, absl::StatusCode::kDeadlineExceeded,
                    "its deadline passed while it waited for its turn");
    }
    *action.mutable_deadline() = base::ToProto(job.deadline - began);
  }
  ActionContext context;
  context.is_cancelled = [&job] { return job.cancelled.load(); };
  context.report = [this](const v1::ActionProgress& progress) {
    if (!abandoned_) callbacks_.on_progress(progress);
  };
  context.log = [this](const v1::ActionLog& log) {
    if (!abandoned_) callbacks_.on_log(log);
  };
  context.on_process_group = [this, &action](pid_t group) {
    v1::JournalRecord::ProcessGroup record;
    record.set_action_id(action.id());
    record.set_group(group);
    record.set_leader_start_ticks(ReadStartTicks(group));
    callbacks_.on_group(record);
  };
  v1::ActionOutcome outcome = runtime_.Run(action, context);
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  if (!outcome.has_took()) *outcome.mutable_took() = base::ToProto(clock_.Now() - began);
  // The effect is to be reported before the outcome: who hears of the end looks at the state.
  reporter_.Refresh();
  return outcome;
}

}  // namespace fairlead::agent
