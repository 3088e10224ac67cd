#include "agent/docker_reporter.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace fairlead::agent {
namespace {

// The clock may be set back meanwhile.
constexpr absl::Duration kLongestWait = absl::Seconds(60);
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
                               SecretTexts& secrets, const base::Clock& clock, base::Random& random)
    : clock_(clock),
      random_(random),
      engine_(TransportOf(options, clock), clock),
      prober_(clock),
      report_(engine_, records, secrets, clock, options.data_directory, &prober_) {
  prober_.SetOnChange([this](const std::string& container_id) { OnProbed(container_id); });
}

DockerReporter::~DockerReporter() { Stop(); }

void DockerReporter::Start(Callbacks callbacks) {
  report_.SetCallbacks(std::move(callbacks));
  watch_thread_ = std::thread([this] { Watch(); });
  report_thread_ = std::thread([this] { Report(); });
}

void DockerReporter::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  prober_.Stop();
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

void DockerReporter::OnProbed(const std::string& container_id) {
  base::MutexLock lock(mutex_);
  work_.events.push_back({.type = "container",
                          .action = "probed",
                          .container_id = container_id,
                          .time = clock_.Now()});
  changed_.SignalAll();
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
  for (std::optional<ReportWork> work = Take(); work; work = Take()) {
    report_.Do(*work);
    if (work->ticket > 0) Answer(*work);
  }
}

void DockerReporter::Answer(const ReportWork& work) {
  // What the action before the Refresh did is in the stream by now; not all of it is in a list.
  std::vector<EngineEvent> events;
  {
    base::MutexLock lock(mutex_);
    events.swap(work_.events);
  }
  report_.OnEvents(events);
  base::MutexLock lock(mutex_);
  answered_ = work.ticket;
  changed_.SignalAll();
}

std::optional<ReportWork> DockerReporter::Take() {
  base::MutexLock lock(mutex_);
  while (!stopping_ && work_.IsEmpty()) {
    const absl::Duration left = report_.UntilNextList();
    if (left <= absl::ZeroDuration()) {
      work_.refresh = true;
      work_.inspect_all = true;
      break;
    }
    changed_.WaitFor(mutex_, std::min(left, kLongestWait));
  }
  if (stopping_) return std::nullopt;
  return std::exchange(work_, ReportWork());
}

}  // namespace fairlead::agent
