#include "controller/agents/agent_registry.h"

#include <utility>
#include <variant>

#include "base/log.h"

namespace fairlead::agents {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(2);
// Less than this is a clock that is being adjusted, which the offsets of the hosts follow.
constexpr absl::Duration kClockJump = absl::Milliseconds(500);

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

void FlushAll(const std::vector<std::shared_ptr<SessionLink>>& links) {
  for (const auto& link : links) link->Flush();
}

}  // namespace

AgentRegistry::AgentRegistry(SessionTerms terms, base::Clock& clock, loop::Observer* observer)
    : clock_(clock),
      observer_(observer),
      table_(std::move(terms)),
      started_(clock.Now() - clock.Uptime()) {}

AgentRegistry::~AgentRegistry() = default;

void AgentRegistry::SetEvents(loop::AgentEvents* events) { events_ = events; }

bool AgentRegistry::Dispatch(const std::string& server, SessionId session,
                             const v1::Action& action) {
  Links touched;
  bool sent = false;
  {
    base::MutexLock lock(mutex_);
    TableCommands commands;
    sent = table_.Dispatch(server, session, action, &commands) &&
           CarryOutLocked(std::move(commands), &touched);
  }
  FlushAll(touched);
  return sent;
}

void AgentRegistry::SetAutonomy(const std::map<std::string, v1::AutonomyTerms>& terms) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    CarryOutLocked(table_.SetAutonomy(terms), &touched);
  }
  FlushAll(touched);
}

bool AgentRegistry::Cancel(const std::string& server, const std::string& action_id,
                           const std::string& why) {
  Links touched;
  bool sent = false;
  {
    base::MutexLock lock(mutex_);
    TableCommands commands;
    sent = table_.Cancel(server, action_id, why, &commands) &&
           CarryOutLocked(std::move(commands), &touched);
  }
  FlushAll(touched);
  return sent;
}

bool AgentRegistry::AcknowledgeOutcome(const std::string& server, const std::string& action_id) {
  Links touched;
  bool sent = false;
  {
    base::MutexLock lock(mutex_);
    TableCommands commands;
    sent = table_.AcknowledgeOutcome(server, action_id, &commands) &&
           CarryOutLocked(std::move(commands), &touched);
  }
  FlushAll(touched);
  return sent;
}

uint64_t AgentRegistry::StartLogs(const std::string& server, const v1::LogRequest& request,
                                  LogCallback callback) {
  Links touched;
  uint64_t request_id = 0;
  {
    base::MutexLock lock(mutex_);
    TableCommands commands;
    request_id = table_.StartLogs(server, request, &commands);
    if (request_id == 0) return 0;
    logs_[request_id] = std::make_shared<const LogCallback>(std::move(callback));
    CarryOutLocked(std::move(commands), &touched);
  }
  FlushAll(touched);
  return request_id;
}

void AgentRegistry::CancelLogs(uint64_t request_id) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    logs_.erase(request_id);
    CarryOutLocked(table_.CancelLogs(request_id), &touched);
  }
  FlushAll(touched);
}

std::shared_ptr<const sync::LiveState> AgentRegistry::Live() {
  base::MutexLock lock(mutex_);
  if (live_ == nullptr) {
    auto live = std::make_shared<sync::LiveState>();
    live->hosts = table_.hosts();
    live_ = std::move(live);
  }
  return live_;
}

std::vector<AgentSummary> AgentRegistry::Agents() {
  base::MutexLock lock(mutex_);
  return table_.Agents();
}

absl::Time AgentRegistry::NowLocked(Links* touched) {
  const absl::Time now = clock_.Now();
  const absl::Time started = now - clock_.Uptime();
  const absl::Duration jump = started - started_;
  if (absl::AbsDuration(jump) >= kClockJump) {
    started_ = started;
    base::LogWarning("agents", "the clock was set by ", absl::FormatDuration(jump));
    CarryOutLocked(table_.OnClockJump(jump), touched);
  }
  return now;
}

void AgentRegistry::Tick(absl::Time now) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    NowLocked(&touched);
    CarryOutLocked(table_.OnTick(now), &touched);
  }
  FlushAll(touched);
  Deliver();
}

void AgentRegistry::End(const std::string& server, const std::string& why, bool refusal) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = NowLocked(&touched);
    CarryOutLocked(table_.End(server, why, refusal, now), &touched);
  }
  FlushAll(touched);
  Deliver();
}

SessionId AgentRegistry::Open(std::shared_ptr<SessionLink> link,
                              const PeerCertificate& certificate) {
  Links touched;
  SessionId session = 0;
  {
    base::MutexLock lock(mutex_);
    if (shutting_down_) return 0;
    session = ++last_session_;
    links_[session] = std::move(link);
    table_.OnOpened(session, certificate, NowLocked(&touched));
  }
  FlushAll(touched);
  return session;
}

void AgentRegistry::OnMessage(SessionId session, const v1::AgentMessage& message) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = NowLocked(&touched);
    CarryOutLocked(table_.OnMessage(session, message, now), &touched);
  }
  FlushAll(touched);
  Deliver();
}

void AgentRegistry::OnClosed(SessionId session) {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    const absl::Time now = NowLocked(&touched);
    CarryOutLocked(table_.OnClosed(session, now), &touched);
  }
  FlushAll(touched);
  Deliver();
}

void AgentRegistry::OnDone(SessionId session) {
  OnClosed(session);
  // The link may be destroyed here, outside of the lock.
  std::shared_ptr<SessionLink> done;
  base::MutexLock lock(mutex_);
  const auto found = links_.find(session);
  if (found == links_.end()) return;
  done = std::move(found->second);
  links_.erase(found);
  if (links_.empty()) all_done_.SignalAll();
}

void AgentRegistry::Shutdown() {
  Links touched;
  {
    base::MutexLock lock(mutex_);
    shutting_down_ = true;
    const absl::Time now = NowLocked(&touched);
    CarryOutLocked(table_.Shutdown(now), &touched);
  }
  FlushAll(touched);
  Deliver();
  Links late;
  {
    base::MutexLock lock(mutex_);
    while (!links_.empty() && all_done_.WaitFor(mutex_, kShutdownGrace)) {
    }
    for (const auto& [session, link] : links_) {
      link->Abort(absl::UnavailableError("the controller is shutting down"));
      late.push_back(link);
    }
  }
  FlushAll(late);
  late.clear();
  base::MutexLock lock(mutex_);
  while (!links_.empty()) all_done_.Wait(mutex_);
}

SessionLink* AgentRegistry::TouchLocked(SessionId session, Links* touched) {
  const auto found = links_.find(session);
  if (found == links_.end()) return nullptr;
  touched->push_back(found->second);
  return found->second.get();
}

bool AgentRegistry::CarryOutLocked(TableCommands commands, Links* touched) {
  bool complete = true;
  for (TableCommand& command : commands) {
    if (auto* send = std::get_if<SendTo>(&command)) {
      SessionLink* const link = TouchLocked(send->session, touched);
      if (link != nullptr && link->Enqueue(std::move(send->message))) continue;
      complete = false;
      if (link != nullptr) {
        link->Abort(absl::ResourceExhaustedError("the agent reads too slowly"));
      }
    } else if (const auto* close = std::get_if<CloseSession>(&command)) {
      base::LogInfo("agents", "session ", close->session, " ends: ", close->why.message());
      SessionLink* const link = TouchLocked(close->session, touched);
      if (link != nullptr) link->CloseAfterQueue(close->why);
    } else if (const auto* abort = std::get_if<AbortSession>(&command)) {
      base::LogWarning("agents", "session ", abort->session, " is cut: ", abort->why.message());
      SessionLink* const link = TouchLocked(abort->session, touched);
      if (link != nullptr) link->Abort(abort->why);
    } else {
      if (std::holds_alternative<TellHost>(command)) live_ = nullptr;
      untold_.push_back(std::move(command));
    }
  }
  return complete;
}

void AgentRegistry::Deliver() {
  for (;;) {
    std::deque<TableCommand> batch;
    {
      base::MutexLock lock(mutex_);
      // The thread that is telling looks again before it stops.
      if (telling_ || untold_.empty()) return;
      telling_ = true;
      batch.swap(untold_);
    }
    for (const TableCommand& command : batch) Tell(command);
    base::MutexLock lock(mutex_);
    telling_ = false;
  }
}

void AgentRegistry::Tell(const TableCommand& command) {
  if (const auto* logs = std::get_if<TellLogs>(&command)) return TellLogLines(logs->lines);
  if (observer_ != nullptr) {
    if (const auto* lag = std::get_if<TellLag>(&command)) {
      observer_->OnAgentLag(lag->server, lag->lag);
    } else if (const auto* connected = std::get_if<TellConnected>(&command)) {
      observer_->OnAgents(connected->agents);
    }
  }
  if (events_ == nullptr) return;
  std::visit(
      Overloaded{
          [this](const TellHost& tell) { events_->OnHost(tell.host); },
          [this](const TellJournal& tell) {
            events_->OnJournal(tell.server, tell.session, tell.report);
          },
          [this](const TellOutcome& tell) { events_->OnOutcome(tell.server, tell.outcome); },
          [this](const TellProgress& tell) { events_->OnProgress(tell.server, tell.progress); },
          [this](const TellNotice& tell) { events_->OnNotice(tell.server, tell.notice); },
          [this](const TellActionLog& tell) { events_->OnActionLog(tell.server, tell.log); },
          [](const auto&) {}},
      command);
}

void AgentRegistry::TellLogLines(const v1::LogLines& lines) {
  std::shared_ptr<const LogCallback> callback;
  {
    base::MutexLock lock(mutex_);
    const auto found = logs_.find(lines.request_id());
    if (found == logs_.end()) return;
    callback = found->second;
    if (lines.end()) logs_.erase(found);
  }
  (*callback)(lines);
}

}  // namespace fairlead::agents
