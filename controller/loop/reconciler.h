// The thread around the core: events in, store and agents out.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/loop/agent_link.h"
#include "controller/loop/companion.h"
#include "controller/loop/core.h"
#include "controller/loop/observer.h"
#include "controller/store/store.h"

namespace fairlead::loop {

// What subscribers see, in order.
using WatchItem = std::variant<v1::Event, v1::ActionProgress, v1::Run, RunLines>;

// Thread-safe. One thread named by its only duty: it feeds the core, makes the batch durable,
// then sends. While the store refuses, nothing is sent and events wait.
class Reconciler final : public AgentEvents {
 public:
  // References outlive the reconciler. `on_pass` is called on its thread after each pass.
  Reconciler(store::Store& store, base::Clock& clock, AgentLink& agents, Observer& observer,
             Core core, Companion& companion, std::function<void(const LoopView&)> on_pass);
  ~Reconciler() override;

  void Start();
  // Ends the thread; events after it are dropped.
  void Stop();

  void OnHost(std::shared_ptr<const sync::HostLive> host) override;
  void OnOutcome(const std::string& server, const v1::ActionOutcome& outcome) override;
  void OnProgress(const std::string& server, const v1::ActionProgress& progress) override;
  void OnJournal(const std::string& server, uint64_t session,
                 const v1::JournalReport& report) override;
  void OnNotice(const std::string& server, const v1::AgentNotice& notice) override;
  void OnActionLog(const std::string& server, const v1::ActionLog& log) override;

  // Runs `work` on the loop's thread before the next pass; a pass follows.
  void Post(std::function<void(Core&, absl::Time now)> work);

  // As of the last pass.
  std::shared_ptr<const LoopView> View() const;

  // Events from now on. The callback must return at once. Unsubscribe waits for a running call.
  uint64_t Subscribe(std::function<void(const WatchItem&)> callback);
  void Unsubscribe(uint64_t id);

  // Why nothing is made durable; empty when all is well.
  std::string StoreError() const;

 private:
  void Run();
  void PassOnce();
  absl::Time WakeAt() const { return std::min(core_.wake_at(), companion_.wake_at()); }
  // Tries until it is durable or the reconciler stops.
  bool Persist(const store::StoreBatch& batch);
  void Tell(const WatchItem& item);
  // What has come since the last time; nothing before that is due.
  std::map<std::string, v1::ActionProgress> TakeProgressLocked(absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  store::Store& store_;
  base::Clock& clock_;
  AgentLink& agents_;
  Observer& observer_;
  // Confined to the thread.
  Core core_;
  Companion& companion_;
  const std::function<void(const LoopView&)> on_pass_;
  std::thread thread_;

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<std::function<void(Core&, absl::Time)>> queue_ ABSL_GUARDED_BY(mutex_);
  // Output of actions; a work item that takes all of it is in the queue while there is some.
  std::vector<v1::ActionLog> logs_ ABSL_GUARDED_BY(mutex_);
  // The newest of each action, by its id.
  std::map<std::string, v1::ActionProgress> progress_ ABSL_GUARDED_BY(mutex_);
  absl::Time progress_due_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<const LoopView> view_ ABSL_GUARDED_BY(mutex_);
  std::string store_error_ ABSL_GUARDED_BY(mutex_);

  base::Mutex watch_mutex_;
  std::map<uint64_t, std::function<void(const WatchItem&)>> watchers_ ABSL_GUARDED_BY(watch_mutex_);
  uint64_t next_watcher_ ABSL_GUARDED_BY(watch_mutex_) = 1;
};

}  // namespace fairlead::loop
