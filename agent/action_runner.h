// Performs actions on a bounded set of threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "agent/reporter.h"
#include "agent/runtime.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/journal.pb.h"

namespace fairlead::agent {

// Runs what it is given in order of arrival, never two actions of one resource at once.
// Thread-safe. Owned by the Agent.
class ActionRunner {
 public:
  // Called from the worker threads.
  struct Callbacks {
    std::function<void(const v1::ActionProgress&)> on_progress;
    std::function<void(const v1::ActionLog&)> on_log;
    std::function<void(const v1::JournalRecord::ProcessGroup&)> on_group;
    std::function<void(const v1::ActionOutcome&)> on_finished;
  };

  // `runtime`, `reporter` and `clock` must outlive it.
  ActionRunner(Runtime& runtime, Reporter& reporter, base::Clock& clock, std::size_t workers,
               Callbacks callbacks);
  ~ActionRunner();
  ActionRunner(const ActionRunner&) = delete;
  ActionRunner& operator=(const ActionRunner&) = delete;

  // The deadline of `action` counts from here.
  void Start(const v1::Action& action) ABSL_LOCKS_EXCLUDED(mutex_);
  // Unknown ids are ignored: the action may just have ended.
  void Cancel(const std::string& action_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Begins nothing more and gives running actions `grace`. Those that take longer are cancelled
  // without a word of it, so that the journal has them continue after a restart. False when some
  // do not even end then; destroying the runner would wait for them.
  bool Stop(absl::Duration grace) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Job {
    v1::Action action;
    absl::Time deadline;
    std::atomic<bool> cancelled = false;
  };

  void Work();
  // The first job whose resource is free; null when there is none.
  std::shared_ptr<Job> TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  v1::ActionOutcome Perform(Job& job) const;
  bool WaitUntilIdle(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_);

  Runtime& runtime_;
  Reporter& reporter_;
  base::Clock& clock_;
  const Callbacks callbacks_;
  // Results no longer count.
  std::atomic<bool> abandoned_ = false;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Job>> queue_ ABSL_GUARDED_BY(mutex_);
  // Queued and running, by action id.
  std::map<std::string, std::shared_ptr<Job>> jobs_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> busy_resources_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace fairlead::agent
