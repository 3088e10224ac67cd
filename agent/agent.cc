#include "agent/agent.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

#include "agent/instance.h"
#include "base/log.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kLogsOnTheirWay = 32;
// Longest sleep of the session thread: the clock may be set back meanwhile.
constexpr absl::Duration kLongestWait = absl::Seconds(10);

}  // namespace

Agent::Agent(AgentOptions options, Journal journal, AgentParts parts)
    : options_(std::move(options)),
      parts_(parts),
      journal_(std::move(journal)),
      session_(options_.identity, journal_.state()),
      caretaker_(options_.autonomy_folder),
      actions_(parts.runtime, parts.reporter, parts.clock, options_.workers, ActionCallbacks()),
      logs_(parts.runtime, options_.log_streams,
            [this](const v1::LogLines& lines) { PostLogs(lines); }) {}

Agent::~Agent() { Stop(); }

ActionRunner::Callbacks Agent::ActionCallbacks() {
  return {
      .on_progress =
          [this](const v1::ActionProgress& progress) {
            Post([this, progress] { return session_.OnProgress(progress); });
          },
      // Bounded where it is made: it cannot fill the queue.
      .on_log =
          [this](const v1::ActionLog& log) {
            Post([this, log] { return session_.OnActionLog(log); });
          },
      .on_group =
          [this](const v1::JournalRecord::ProcessGroup& group) {
            v1::JournalRecord record;
            *record.mutable_group() = group;
            Post([record] { return SessionCommands{WriteRecord{record}}; });
          },
      .on_finished =
          [this](const v1::ActionOutcome& outcome) {
            Post([this, outcome] { return OnFinished(outcome); });
          },
  };
}

void Agent::Start() {
  EndLeftoverGroups(journal_.state());
  Post([this] {
    const std::optional<UseInstallation> kept = caretaker_.Load(parts_.clock.Now());
    return kept ? session_.OnKept(*kept) : SessionCommands{};
  });
  thread_ = std::thread([this] { Run(); });
  StartConnection();
}

bool Agent::Stop() {
  if (!thread_.joinable()) return true;
  parts_.connection.Stop();
  {
    base::MutexLock lock(mutex_);
    logs_dropped_ = true;
    logs_taken_.SignalAll();
  }
  logs_.CancelAll();
  // The session thread still runs: it writes the outcomes of what ends now.
  const bool ended = actions_.Stop(options_.stop_grace);
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    wake_.SignalAll();
  }
  thread_.join();
  if (reporter_started_) parts_.reporter.Stop();
  return ended;
}

void Agent::StartConnection() {
  parts_.connection.Start({
      .on_connected =
          [this](Connection::StreamId stream) {
            Post([this, stream] {
              stream_ = stream;
              return session_.OnConnected(parts_.clock.Now());
            });
          },
      .on_message =
          [this](Connection::StreamId, const v1::ControllerMessage& message) {
            Post([this, message] { return OnMessage(message); });
          },
      .on_disconnected =
          [this](Connection::StreamId) { Post([this] { return OnDisconnected(); }); },
  });
}

SessionCommands Agent::OnMessage(const v1::ControllerMessage& message) {
  const absl::Time now = parts_.clock.Now();
  if (message.has_welcome()) {
    base::LogInfo("agent", "connected to controller ", message.welcome().controller_version(),
                  " as ", options_.identity.server);
    caretaker_.OnWelcome(message.welcome(), now);
  } else if (session_.welcomed()) {
    caretaker_.OnContact(now);
  }
  return session_.OnMessage(message, now);
}

SessionCommands Agent::OnDisconnected() {
  // Their request ids mean nothing to the next stream.
  logs_.CancelAll();
  caretaker_.OnDisconnected(parts_.clock.Now());
  return session_.OnDisconnected();
}

SessionCommands Agent::OnFinished(const v1::ActionOutcome& outcome) {
  if (caretaker_.OnHealed(outcome, parts_.clock.Now())) return {};
  const v1::Action* action = session_.FindAction(outcome.action_id());
  if (action != nullptr && outcome.status() == v1::ACTION_STATUS_SUCCEEDED) {
    caretaker_.OnSucceeded(*action);
  }
  return session_.OnFinished(outcome);
}

void Agent::TakeCare() {
  if (session_.welcomed()) {
    for (const v1::AgentNotice& notice : caretaker_.TakeNotices()) {
      Perform(session_.OnNotice(notice));
    }
    return;
  }
  if (session_.state() == nullptr) return;
  for (const v1::Action& action :
       caretaker_.Decide(*session_.state(), session_.OpenResources(), parts_.clock.Now())) {
    actions_.Start(action);
  }
}

void Agent::StartReporter() {
  parts_.reporter.Start({
      .on_state =
          [this](const v1::HostState& state) {
            Post([this, state, view = view_.load()] {
              return view == view_ ? session_.OnState(state) : SessionCommands{};
            });
          },
      .on_delta =
          [this](const v1::HostDelta& delta) {
            Post([this, delta, view = view_.load()] {
              return view == view_ ? session_.OnDelta(delta) : SessionCommands{};
            });
          },
  });
}

void Agent::Post(Event event) {
  base::MutexLock lock(mutex_);
  if (stopping_) return;
  events_.push_back(std::move(event));
  wake_.Signal();
}

void Agent::PostLogs(const v1::LogLines& lines) {
  parts_.connection.WaitForRoom();
  base::MutexLock lock(mutex_);
  while (logs_on_their_way_ >= kLogsOnTheirWay && !logs_dropped_) logs_taken_.Wait(mutex_);
  if (logs_dropped_) return;
  ++logs_on_their_way_;
  events_.push_back([this, lines] {
    {
      base::MutexLock taken(mutex_);
      --logs_on_their_way_;
      logs_taken_.SignalAll();
    }
    return session_.OnLogs(lines);
  });
  wake_.Signal();
}

bool Agent::Take(Event& event) {
  const absl::Duration until_tick =
      std::min(session_.NextTick(), caretaker_.wake()) - parts_.clock.Now();
  base::MutexLock lock(mutex_);
  if (events_.empty() && !stopping_ && until_tick > absl::ZeroDuration()) {
    wake_.WaitFor(mutex_, std::min(until_tick, kLongestWait));
  }
  if (events_.empty()) return !stopping_;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void Agent::Run() {
  while (true) {
    Event event;
    if (!Take(event)) return;
    if (event) Perform(event());
    Perform(session_.OnTick(parts_.clock.Now()));
    TakeCare();
  }
}

void Agent::Perform(SessionCommands commands) {
  for (SessionCommand& command : commands) {
    std::visit([this](auto& one) { PerformOne(one); }, command);
  }
}

void Agent::PerformOne(SendMessage& command) {
  parts_.connection.Send(stream_, std::move(command.message));
}

void Agent::PerformOne(WriteRecord& command) {
  const absl::Status status = journal_.Append(command.record);
  if (!status.ok() && !journal_failing_) {
    base::LogError("agent", "the journal cannot be written: ", status.message());
  }
  journal_failing_ = !status.ok();
  if (status.ok() && command.record.has_forget()) parts_.runtime.Forget(command.record.forget());
  Perform(session_.OnRecorded(command.record, status));
}

void Agent::PerformOne(StartAction& command) {
  const absl::Status begun = caretaker_.OnBegun(command.action);
  if (begun.ok()) {
    actions_.Start(command.action);
    return;
  }
  // What it ends could come back while the controller is away.
  v1::ActionOutcome outcome;
  outcome.set_action_id(command.action.id());
  outcome.set_resource(command.action.resource());
  outcome.set_status(v1::ACTION_STATUS_FAILED);
  outcome.set_code(static_cast<int32_t>(absl::StatusCode::kResourceExhausted));
  outcome.set_message(absl::StrCat("the agent cannot write what it keeps: ", begun.message()));
  Perform(session_.OnFinished(outcome));
}

void Agent::PerformOne(StopAction& command) { actions_.Cancel(command.action_id); }

void Agent::PerformOne(StartLogs& command) {
  const std::optional<v1::LogLines> refusal = logs_.Start(command.request);
  if (refusal.has_value()) Perform(session_.OnLogs(*refusal));
}

void Agent::PerformOne(StopLogs& command) { logs_.Cancel(command.request_id); }

void Agent::PerformOne(UseInstallation& command) {
  ++view_;
  parts_.runtime.SetInstallation(command.installation, command.key_id, command.key);
  parts_.reporter.SetInstallation(command.installation, command.key_id, command.key);
  // Not before: without the installation every container would be reported as foreign.
  if (!reporter_started_) StartReporter();
  reporter_started_ = true;
}

void Agent::PerformOne(UseTerms& command) { caretaker_.OnTerms(command.terms, parts_.clock.Now()); }

void Agent::PerformOne(CloseStream& command) {
  absl::Duration delay = absl::ZeroDuration();
  if (!session_.refusal().empty()) {
    const double part = static_cast<double>(parts_.random.Next() % 1024) / 1024;
    delay = options_.refusal_delay * (1 + 2 * part);
    base::LogError("agent", "the controller refuses this agent: ", session_.refusal());
  } else {
    base::LogInfo("agent", "the controller ends the session: ", command.why);
  }
  parts_.connection.Close(stream_, delay);
}

}  // namespace fairlead::agent
