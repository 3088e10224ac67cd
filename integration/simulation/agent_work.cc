// Actions and looks at the engine: what the threads of a real agent do.
#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/proto_time.h"
#include "integration/simulation/agent_process.h"

namespace fairlead::simulation {
namespace {

constexpr std::size_t kWorkers = 4;
constexpr absl::Duration kRefreshTime = absl::Seconds(5);
constexpr absl::Duration kHistory = absl::Minutes(60);
constexpr absl::Duration kStable = absl::Seconds(5);
constexpr absl::Duration kLongestWait = absl::Seconds(60);
constexpr base::BackoffPolicy kReconnect = {.initial = absl::Milliseconds(100),
                                            .maximum = absl::Seconds(5)};

}  // namespace

std::shared_ptr<Fiber> AgentProcess::Spawn(const std::string& label, std::function<void()> body) {
  std::erase_if(fibers_, [](const auto& fiber) { return fiber->ended(); });
  std::shared_ptr<Fiber> fiber =
      Fiber::Start(in_.stage.timeline, label, [life = life_, body = std::move(body)] {
        if (life->alive) body();
      });
  fibers_.push_back(fiber);
  return fiber;
}

void AgentProcess::StartJobs() {
  for (auto at = queue_.begin(); at != queue_.end() && running_ < kWorkers;) {
    const bool double_start = in_.stage.plant == Plant::kDoubleStart;
    if (!busy_resources_.insert((*at)->action.resource()).second && !double_start) {
      ++at;
      continue;
    }
    const std::shared_ptr<Job> job = *at;
    at = queue_.erase(at);
    job->running = true;
    ++running_;
    Spawn(job->action.id(), [this, job] { RunJob(job); });
  }
}

void AgentProcess::RunJob(const std::shared_ptr<Job>& job) {
  v1::Action& action = job->action;
  in_.stage.Say(server_, "agent starts action ", action.id(), " of ", action.resource());
  v1::ActionOutcome outcome;
  const absl::Time began = in_.host.clock.Now();
  if (job->cancelled || began >= job->deadline) {
    outcome.set_status(job->cancelled ? v1::ACTION_STATUS_CANCELLED : v1::ACTION_STATUS_FAILED);
    outcome.set_code(static_cast<int32_t>(absl::StatusCode::kDeadlineExceeded));
  } else {
    *action.mutable_deadline() = base::ToProto(job->deadline - began);
    agent::ActionContext context;
    context.is_cancelled = [this, job] { return job->cancelled || !life_->alive; };
    context.report = [this](const v1::ActionProgress& progress) {
      if (life_->alive) Perform(session_->OnProgress(progress));
    };
    context.log = [this](const v1::ActionLog& log) {
      if (life_->alive) Perform(session_->OnActionLog(log));
    };
    outcome = runtime_.Run(action, context);
    if (life_->alive) Refresh();
  }
  if (!life_->alive) return;
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  Perform(session_->OnFinished(outcome));
  --running_;
  busy_resources_.erase(action.resource());
  jobs_.erase(action.id());
  if (life_->alive) StartJobs();
}

void AgentProcess::WakeReport() {
  if (report_fiber_ != nullptr && !report_fiber_->ended()) report_fiber_->Wake();
}

void AgentProcess::Refresh() {
  const uint64_t ticket = ++asked_;
  work_.refresh = true;
  work_.ticket = ticket;
  WakeReport();
  refreshers_.push_back(Fiber::Current()->weak_from_this());
  const absl::Time end = now() + kRefreshTime;
  while (life_->alive && answered_ < ticket && now() < end) Fiber::Current()->SleepUntil(end);
}

void AgentProcess::Report() {
  while (life_->alive) {
    if (work_.IsEmpty()) {
      const absl::Duration left = report_.UntilNextList();
      if (left <= absl::ZeroDuration()) {
        work_.refresh = work_.inspect_all = true;
      } else {
        Fiber::Current()->SleepUntil(now() + std::min(left, kLongestWait));
        continue;
      }
    }
    const agent::ReportWork work = std::exchange(work_, agent::ReportWork());
    report_.Do(work);
    if (work.ticket == 0 || !life_->alive) continue;
    const std::vector<agent::EngineEvent> events = std::exchange(work_.events, {});
    report_.OnEvents(events);
    answered_ = work.ticket;
    for (const std::weak_ptr<Fiber>& waiting : std::exchange(refreshers_, {})) {
      if (const std::shared_ptr<Fiber> fiber = waiting.lock()) fiber->Wake();
    }
  }
}

void AgentProcess::Watch() {
  int attempt = 0;
  while (life_->alive) {
    const absl::Time start = now();
    WatchOnce().IgnoreError();
    if (!life_->alive) return;
    attempt = now() - start > kStable ? 0 : attempt + 1;
    if (attempt > 0) {
      Fiber::Current()->SleepUntil(
          now() + base::ComputeJitteredDelay(kReconnect, attempt, in_.stage.random));
    }
  }
}

absl::Status AgentProcess::WatchOnce() {
  const absl::Time start = in_.host.clock.Now();
  const absl::StatusOr<v1::EngineVersion> version =
      engine_.Describe({.deadline = start + absl::Seconds(10), .is_cancelled = {}});
  bool opened = false;
  absl::Status status = version.status();
  if (status.ok()) {
    status = engine_.WatchEvents(start - kHistory,
                                 {.on_open =
                                      [&] {
                                        opened = true;
                                        work_.connected_at = start;
                                        work_.version = *version;
                                        work_.down.reset();
                                        WakeReport();
                                      },
                                  .on_event =
                                      [this](const agent::EngineEvent& event) {
                                        work_.events.push_back(event);
                                        WakeReport();
                                      }},
                                 {});
  }
  if (!opened && life_->alive) {
    work_.down = std::string(status.message());
    work_.connected_at.reset();
    WakeReport();
  }
  return status;
}

}  // namespace fairlead::simulation
