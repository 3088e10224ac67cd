// Connects the session core to the stream, the journal, the runtime and the reporter.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "absl/time/time.h"

#include "agent/action_runner.h"
#include "agent/caretaker.h"
#include "agent/connection.h"
#include "agent/journal.h"
#include "agent/log_runner.h"
#include "agent/reporter.h"
#include "agent/runtime.h"
#include "agent/session.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace fairlead::agent {

struct AgentOptions {
  SessionIdentity identity;
  // What is kept for the time without a controller lies here.
  std::string autonomy_folder;
  // Actions performed at once.
  std::size_t workers = 4;
  // Logs read at once; more are refused.
  std::size_t log_streams = 16;
  // What running actions get at the end.
  absl::Duration stop_grace = absl::Seconds(5);
  // After a refusal the next attempt comes in one to three times this.
  absl::Duration refusal_delay = absl::Seconds(10);
};

// What the agent works with; each must outlive it.
struct AgentParts {
  Runtime& runtime;
  Reporter& reporter;
  Connection& connection;
  base::Clock& clock;
  base::Random& random;
};

// One session thread takes events in order, feeds the core, and carries its commands out. Start
// and Stop are called once, from one thread.
class Agent {
 public:
  // `journal` as it was opened at the start of the process.
  Agent(AgentOptions options, Journal journal, AgentParts parts);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Ends what an earlier run left behind, then connects.
  void Start();
  // Closes the stream, gives running actions the grace, writes their outcomes to the journal. False
  // when an action did not even end after a cancel: then the process must exit without destroying
  // the agent, which would wait for it.
  bool Stop();

 private:
  using Event = std::function<SessionCommands()>;

  ActionRunner::Callbacks ActionCallbacks();
  void StartConnection();
  void StartReporter();
  void Post(Event event) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Post, for log lines: waits while many are on their way.
  void PostLogs(const v1::LogLines& lines) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // The next event, or nothing when it is time for a tick. False at the end.
  bool Take(Event& event) ABSL_LOCKS_EXCLUDED(mutex_);

  // On the session thread.
  SessionCommands OnMessage(const v1::ControllerMessage& message);
  SessionCommands OnDisconnected();
  SessionCommands OnFinished(const v1::ActionOutcome& outcome);
  // Begins what is to be healed without the controller, tells what was.
  void TakeCare();
  void Perform(SessionCommands commands);
  void PerformOne(SendMessage& command);
  void PerformOne(WriteRecord& command);
  void PerformOne(StartAction& command);
  void PerformOne(StopAction& command);
  void PerformOne(StartLogs& command);
  void PerformOne(StopLogs& command);
  void PerformOne(UseInstallation& command);
  void PerformOne(UseTerms& command);
  void PerformOne(CloseStream& command);

  const AgentOptions options_;
  const AgentParts parts_;

  // Confined to the session thread.
  Journal journal_;
  Session session_;
  Caretaker caretaker_;
  Connection::StreamId stream_ = 0;
  bool reporter_started_ = false;
  // The last append failed; said once.
  bool journal_failing_ = false;

  // Counts the installations in use: what the reporter saw with an earlier one does not count.
  std::atomic<uint64_t> view_ = 0;

  base::Mutex mutex_;
  base::CondVar wake_;
  base::CondVar logs_taken_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  std::size_t logs_on_their_way_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool logs_dropped_ ABSL_GUARDED_BY(mutex_) = false;

  // Their threads use all of the above: last made, first gone.
  ActionRunner actions_;
  LogRunner logs_;
  std::thread thread_;
};

}  // namespace fairlead::agent
