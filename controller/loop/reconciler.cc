#include "controller/loop/reconciler.h"

#include <utility>

#include "base/log.h"

namespace fairlead::loop {
namespace {

constexpr absl::Duration kStoreRetry = absl::Milliseconds(500);
// Whoever watches hears of progress at once; the records of runs need it less often.
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

}  // namespace

Reconciler::Reconciler(store::Store& store, base::Clock& clock, AgentLink& agents,
                       Observer& observer, Core core, Companion& companion,
                       std::function<void(const LoopView&)> on_pass)
    : store_(store),
      clock_(clock),
      agents_(agents),
      observer_(observer),
      core_(std::move(core)),
      companion_(companion),
      on_pass_(std::move(on_pass)),
      view_(core_.view()) {}

Reconciler::~Reconciler() { Stop(); }

void Reconciler::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Reconciler::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Reconciler::Post(std::function<void(Core&, absl::Time)> work) {
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  queue_.push_back(std::move(work));
  changed_.Signal();
}

void Reconciler::OnHost(std::shared_ptr<const sync::HostLive> host) {
  Post([host = std::move(host)](Core& core, absl::Time) { core.OnHost(host); });
}

void Reconciler::OnOutcome(const std::string& server, const v1::ActionOutcome& outcome) {
  Post([server, outcome](Core& core, absl::Time now) { core.OnOutcome(server, outcome, now); });
}

void Reconciler::OnJournal(const std::string& server, uint64_t session,
                           const v1::JournalReport& report) {
  Post([server, session, report](Core& core, absl::Time now) {
    core.OnJournal(server, session, report, now);
  });
}

void Reconciler::OnNotice(const std::string& server, const v1::AgentNotice& notice) {
  Post([server, notice](Core& core, absl::Time now) { core.OnNotice(server, notice, now); });
}

void Reconciler::OnActionLog(const std::string& /*server*/, const v1::ActionLog& log) {
  {
    base::MutexLock lock(mutex_);
    logs_.push_back(log);
    if (logs_.size() > 1) return;
  }
  Post([this](Core&, absl::Time now) {
    std::vector<v1::ActionLog> logs;
    {
      base::MutexLock lock(mutex_);
      logs.swap(logs_);
    }
    for (const v1::ActionLog& one : logs) companion_.OnActionLog(one, now);
  });
}

void Reconciler::OnProgress(const std::string& /*server*/, const v1::ActionProgress& progress) {
  Tell(progress);
  base::MutexLock lock(mutex_);
  progress_[progress.action_id()] = progress;
  changed_.Signal();
}

std::map<std::string, v1::ActionProgress> Reconciler::TakeProgressLocked(absl::Time now) {
  // A clock that was set back does not hold it up.
  if (now < progress_due_ && progress_due_ - now <= kProgressInterval) return {};
  if (!progress_.empty()) progress_due_ = now + kProgressInterval;
  return std::exchange(progress_, {});
}

std::shared_ptr<const LoopView> Reconciler::View() const {
  base::MutexLock lock(mutex_);
  return view_;
}

std::string Reconciler::StoreError() const {
  base::MutexLock lock(mutex_);
  return store_error_;
}

uint64_t Reconciler::Subscribe(std::function<void(const WatchItem&)> callback) {
  base::MutexLock lock(watch_mutex_);
  watchers_[next_watcher_] = std::move(callback);
  return next_watcher_++;
}

void Reconciler::Unsubscribe(uint64_t id) {
  base::MutexLock lock(watch_mutex_);
  watchers_.erase(id);
}

void Reconciler::Tell(const WatchItem& item) {
  base::MutexLock lock(watch_mutex_);
  for (const auto& [id, callback] : watchers_) callback(item);
}

void Reconciler::Run() {
  while (true) {
    std::deque<std::function<void(Core&, absl::Time)>> work;
    std::map<std::string, v1::ActionProgress> progress;
    {
      base::MutexLock lock(mutex_);
      while (!stopping_ && queue_.empty()) {
        const absl::Time wake = progress_.empty() ? WakeAt() : std::min(WakeAt(), progress_due_);
        const absl::Duration wait =
            wake == absl::InfiniteFuture() ? absl::InfiniteDuration() : wake - clock_.Now();
        if (wait <= absl::ZeroDuration()) break;
        changed_.WaitFor(mutex_, wait);
      }
      if (stopping_) return;
      work = std::move(queue_);
      queue_.clear();
      progress = TakeProgressLocked(clock_.Now());
    }
    for (auto& item : work) item(core_, clock_.Now());
    for (const auto& [id, one] : progress) companion_.OnProgress(one, clock_.Now());
    PassOnce();
  }
}

void Reconciler::PassOnce() {
  const absl::Time started = clock_.Now();
  companion_.BeforePass(core_, started);
  CoreOutput output = core_.Pass(started);
  companion_.AfterPass(core_, output, started);
  observer_.OnPlanned(clock_.Now() - started,
                      static_cast<uint32_t>(core_.view()->result.plan.steps_size()));
  if (!output.batch.empty() && !Persist(output.batch)) return;
  for (const DispatchAction& dispatch : output.dispatch) {
    // A session that has just ended: the journal report of the next one says that the action
    // never arrived, and it is planned anew.
    agents_.Dispatch(dispatch.server, dispatch.session, dispatch.action);
  }
  for (const CancelAction& cancel : output.cancel) {
    agents_.Cancel(cancel.server, cancel.action_id, cancel.why);
  }
  for (const AcknowledgeOutcome& ack : output.acknowledge) {
    agents_.AcknowledgeOutcome(ack.server, ack.action_id);
  }
  {
    base::MutexLock lock(mutex_);
    view_ = core_.view();
  }
  for (const v1::Event& event : output.batch.append_events) Tell(event);
  for (const RunLines& lines : output.run_lines) Tell(lines);
  for (const v1::Run& run : output.batch.put_runs) Tell(run);
  on_pass_(*core_.view());
}

bool Reconciler::Persist(const store::StoreBatch& batch) {
  while (true) {
    const absl::Status status = store_.Apply(batch);
    base::MutexLock lock(mutex_);
    if (status.ok()) {
      if (!store_error_.empty()) base::LogInfo("loop", "the store takes writes again");
      store_error_.clear();
      return true;
    }
    if (store_error_ != status.message()) {
      base::LogError("loop", "the store refuses: ", status.message(),
                     "; nothing is started until it takes writes again");
    }
    store_error_ = std::string(status.message());
    if (stopping_) return false;
    changed_.WaitFor(mutex_, kStoreRetry);
    if (stopping_) return false;
  }
}

}  // namespace fairlead::loop
