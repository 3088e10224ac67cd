#include "agent/docker_reporter.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kListInterval = absl::Seconds(60);
constexpr absl::Duration kListRetry = absl::Seconds(1);
constexpr absl::Duration kDescribeTime = absl::Seconds(10);
constexpr absl::Duration kRefreshTime = absl::Seconds(5);
// The engine replays its last events: they tell which ends were kills before the agent ran.
constexpr absl::Duration kHistory = absl::Minutes(60);
// A stream that lived so long ends a row of failures.
constexpr absl::Duration kStable = absl::Seconds(5);
constexpr base::BackoffPolicy kReconnect = {.initial = absl::Milliseconds(100),
                                            .maximum = absl::Seconds(5)};

}  // namespace

DockerReporter::DockerReporter(const DockerOptions& options, ContainerRecords& records,
                               const SecretTexts& secrets, const base::Clock& clock,
                               base::Random& random)
    : clock_(clock),
      random_(random),
      engine_(options.engine, clock),
      watch_(engine_, records, secrets, clock, options.data_directory) {}

DockerReporter::~DockerReporter() { Stop(); }

void DockerReporter::Start(Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  watch_thread_ = std::thread([this] { Watch(); });
  report_thread_ = std::thread([this] { Report(); });
}

void DockerReporter::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (watch_thread_.joinable()) watch_thread_.join();
  if (report_thread_.joinable()) report_thread_.join();
}

void DockerReporter::SetInstallation(const std::string& installation, const std::string& key_id,
                                     const std::string& key) {
  auto hasher = std::make_shared<const resources::SpecHasher>(key_id, key);
  base::MutexLock lock(mutex_);
  work_.installation = installation;
  work_.hasher = std::move(hasher);
  identified_ = true;
  changed_.SignalAll();
}

void DockerReporter::Refresh() {
  const absl::Time end = clock_.Now() + kRefreshTime;
  base::MutexLock lock(mutex_);
  const uint64_t ticket = ++asked_;
  work_.refresh = true;
  work_.ticket = ticket;
  changed_.SignalAll();
  while (!stopping_ && answered_ < ticket) {
    const absl::Duration left = end - clock_.Now();
    if (left <= absl::ZeroDuration() || !changed_.WaitFor(mutex_, left)) return;
  }
}

bool DockerReporter::stopping() const {
  base::MutexLock lock(mutex_);
  return stopping_;
}

bool DockerReporter::Pause(absl::Duration time) {
  const absl::Time end = clock_.Now() + time;
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Duration left = end - clock_.Now();
    if (left <= absl::ZeroDuration() || !changed_.WaitFor(mutex_, left)) break;
  }
  return !stopping_;
}

void DockerReporter::Watch() {
  {
    base::MutexLock lock(mutex_);
    while (!identified_ && !stopping_) changed_.Wait(mutex_);
  }
  int attempt = 0;
  while (!stopping()) {
    const absl::Time start = clock_.Now();
    const absl::Status ended = WatchOnce();
    if (stopping()) return;
    // After a long stream the engine was restarted or the reader lagged: look at once.
    attempt = clock_.Now() - start > kStable ? 0 : attempt + 1;
    if (attempt > 0 && !Pause(base::ComputeJitteredDelay(kReconnect, attempt, random_))) return;
  }
}

absl::Status DockerReporter::WatchOnce() {
  const absl::Time start = clock_.Now();
  const CallLimits describe{.deadline = start + kDescribeTime,
                            .is_cancelled = [this] { return stopping(); }};
  const absl::StatusOr<v1::EngineVersion> version = engine_.Describe(describe);
  bool opened = false;
  absl::Status status = version.status();
  if (status.ok()) {
    status = engine_.WatchEvents(start - kHistory,
                                 {.on_open =
                                      [&] {
                                        opened = true;
                                        base::MutexLock lock(mutex_);
                                        work_.connected_at = start;
                                        work_.version = *version;
                                        work_.down.reset();
                                        changed_.SignalAll();
                                      },
                                  .on_event =
                                      [this](const EngineEvent& event) {
                                        base::MutexLock lock(mutex_);
                                        work_.events.push_back(event);
                                        changed_.SignalAll();
                                      }},
                                 {.is_cancelled = [this] { return stopping(); }});
  }
  if (!opened) {
    base::MutexLock lock(mutex_);
    work_.down = std::string(status.message());
    work_.connected_at.reset();
    changed_.SignalAll();
  }
  return status;
}

void DockerReporter::Report() {
  for (std::optional<Work> work = Take(); work; work = Take()) {
    Do(*work);
    if (work->ticket > 0) Answer(*work);
  }
}

void DockerReporter::Answer(const Work& work) {
  // What the action before the Refresh did is in the stream by now; not all of it is in a list.
  std::vector<EngineEvent> events;
  {
    base::MutexLock lock(mutex_);
    events.swap(work_.events);
  }
  OnEvents(events);
  base::MutexLock lock(mutex_);
  answered_ = work.ticket;
  changed_.SignalAll();
}

std::optional<DockerReporter::Work> DockerReporter::Take() {
  base::MutexLock lock(mutex_);
  while (!stopping_ && work_.IsEmpty()) {
    const absl::Duration left = next_list_ - clock_.Now();
    if (left <= absl::ZeroDuration()) {
      work_.refresh = true;
      work_.inspect_all = true;
      break;
    }
    changed_.WaitFor(mutex_, std::min(left, kListInterval));
  }
  if (stopping_) return std::nullopt;
  return std::exchange(work_, Work());
}

void DockerReporter::Do(const Work& work) {
  if (work.hasher != nullptr) {
    watch_.SetInstallation(work.installation, work.hasher);
    has_identity_ = true;
  }
  if (!has_identity_) return;
  if (work.connected_at) {
    connected_at_ = work.connected_at;
    version_ = work.version;
    SayAll();
  } else if (work.down) {
    connected_at_.reset();
    next_list_ = absl::InfiniteFuture();
    SayDown(*work.down);
    if (work.hasher != nullptr) SayAll();
  } else if (work.hasher != nullptr || (work.refresh && owes_all_)) {
    SayAll();
  } else if (work.refresh) {
    LookAgain(work.inspect_all);
  }
  OnEvents(work.events);
}

void DockerReporter::SayDown(const std::string& error) {
  const bool known = said_ && !up_ && error == error_;
  up_ = false;
  error_ = error;
  if (known) return;
  base::LogWarning("docker", error);
  if (!said_) {
    SayState();
    return;
  }
  v1::HostDelta delta;
  delta.mutable_engine()->set_up(false);
  delta.mutable_engine()->set_error(error);
  callbacks_.on_delta(delta);
}

void DockerReporter::SayAll() {
  // Neither an answer nor a refusal yet: the event thread is still asking.
  if (!connected_at_ && error_.empty()) return;
  if (connected_at_) {
    const absl::StatusOr<ContainerWatch::Look> look = watch_.LookAtAll(nullptr);
    PlanNextList(look.status());
    up_ = look.ok();
    error_ = std::string(look.status().message());
    if (look.ok()) view_.Replace(look->containers, look->projects);
  }
  SayState();
}

// While the engine does not answer, the last known containers.
void DockerReporter::SayState() {
  v1::HostState state = view_.State();
  state.set_engine_up(up_);
  state.set_engine_error(error_);
  *state.mutable_engine() = version_;
  said_ = true;
  callbacks_.on_state(state);
}

void DockerReporter::LookAgain(bool inspect_all) {
  if (!connected_at_) return;
  const absl::StatusOr<ContainerWatch::Look> look =
      watch_.LookAtAll(inspect_all ? nullptr : &view_);
  if (inspect_all || !look.ok()) PlanNextList(look.status());
  if (!look.ok()) {
    SayDown(std::string(look.status().message()));
    return;
  }
  const v1::HostDelta delta = view_.Replace(look->containers, look->projects);
  if (!IsEmpty(delta)) callbacks_.on_delta(delta);
}

void DockerReporter::PlanNextList(const absl::Status& status) {
  owes_all_ = !status.ok();
  next_list_ = clock_.Now() + (status.ok() ? kListInterval : kListRetry);
}

void DockerReporter::OnEvents(const std::vector<EngineEvent>& events) {
  // The list after a reconnect shows what these would.
  if (!connected_at_ || !up_) return;
  std::vector<const EngineEvent*> relevant;
  for (const EngineEvent& event : events) {
    const bool noted = watch_.Note(event);
    // From before the connect only what tells more than the list did.
    const bool is_news =
        event.time >= *connected_at_ || (noted && view_.Find(event.container_id) != nullptr);
    if (is_news && !event.container_id.empty()) relevant.push_back(&event);
  }
  // The last event of a container is enough: looking shows all that came before.
  std::set<std::string> seen;
  std::vector<const EngineEvent*> latest;
  for (auto event = relevant.rbegin(); event != relevant.rend(); ++event) {
    if (seen.insert((*event)->container_id).second) latest.push_back(*event);
  }
  v1::HostDelta delta;
  for (auto event = latest.rbegin(); event != latest.rend(); ++event) Look(**event, delta);
  if (!IsEmpty(delta)) callbacks_.on_delta(delta);
}

void DockerReporter::Look(const EngineEvent& event, v1::HostDelta& delta) {
  if (event.type == "container" && event.action == "destroy") {
    view_.Remove(event.container_id, delta);
    return;
  }
  const absl::StatusOr<v1::Container> container = watch_.LookAt(event, view_);
  if (container.ok()) {
    view_.Upsert(*container, delta);
  } else if (absl::IsNotFound(container.status())) {
    view_.Remove(event.container_id, delta);
  } else if (!absl::IsFailedPrecondition(container.status())) {
    // The list that follows decides.
    next_list_ = std::min(next_list_, clock_.Now() + kListRetry);
  }
}

}  // namespace fairlead::agent
