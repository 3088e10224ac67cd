// The agent's end of the session protocol and the rules of its action journal, without I/O:
// events and the time go in, commands come out. The shell (agent.h) connects it to gRPC, the
// journal file, the runtime and the reporter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/journal.h"
#include "fairlead/v1/agent.pb.h"
#include "fairlead/v1/journal.pb.h"

namespace fairlead::agent {

// Commands, to be carried out in order.
struct SendMessage {
  v1::AgentMessage message;
};
// Append to the journal, then call OnRecorded with the result.
struct WriteRecord {
  v1::JournalRecord record;
};
struct StartAction {
  v1::Action action;
};
struct StopAction {
  std::string action_id;
};
struct StartLogs {
  v1::LogRequest request;
};
struct StopLogs {
  uint64_t request_id = 0;
};
struct UseInstallation {
  std::string installation;
  std::string key_id;
  std::string key;
};
// What may be done without the controller.
struct UseTerms {
  v1::AutonomyTerms terms;
};
// Close the stream; connect again at the next attempt.
struct CloseStream {
  std::string why;
};
using SessionCommand = std::variant<SendMessage, WriteRecord, StartAction, StopAction, StartLogs,
                                    StopLogs, UseInstallation, UseTerms, CloseStream>;
using SessionCommands = std::vector<SessionCommand>;

struct SessionIdentity {
  std::string server;
  std::string instance_id;
  std::string version;
  uint32_t cpus = 0;
};

// Confined to one thread. Lives as long as the agent; connections come and go.
class Session {
 public:
  // `journal` is what the file held at the start: its open *ensure* actions continue with the
  // first Welcome, its open *once* actions become Interrupted.
  Session(SessionIdentity identity, const JournalState& journal);

  // The stream is open.
  SessionCommands OnConnected(absl::Time now);
  SessionCommands OnMessage(const v1::ControllerMessage& message, absl::Time now);
  SessionCommands OnDisconnected();

  // Begins with an installation that was kept from an earlier run.
  SessionCommands OnKept(const UseInstallation& kept);

  // From the reporter.
  SessionCommands OnState(const v1::HostState& state);
  SessionCommands OnDelta(const v1::HostDelta& delta);

  // From the runtime.
  SessionCommands OnProgress(const v1::ActionProgress& progress);
  // Best effort: what comes while nobody listens is counted in the next one.
  SessionCommands OnActionLog(const v1::ActionLog& log);
  SessionCommands OnFinished(const v1::ActionOutcome& outcome);
  SessionCommands OnLogs(const v1::LogLines& lines);
  SessionCommands OnNotice(const v1::AgentNotice& notice);

  // The answer to WriteRecord.
  SessionCommands OnRecorded(const v1::JournalRecord& record, const absl::Status& status);

  // Heartbeats, and outcomes whose record failed. Call at NextTick().
  SessionCommands OnTick(absl::Time now);
  absl::Time NextTick() const { return next_tick_; }

  bool welcomed() const { return welcomed_; }
  // The host as last looked at; null before the first look.
  const v1::HostState* state() const { return state_ ? &*state_ : nullptr; }
  // Null when it is not known.
  const v1::Action* FindAction(const std::string& action_id) const;
  // Resources with an action that has not ended.
  std::set<std::string> OpenResources() const;
  // Set by a Goodbye that makes reconnecting at once pointless.
  const std::string& refusal() const { return refusal_; }

 private:
  enum class Phase {
    kRecording,          // the intent is being written
    kRunning,            // performed now
    kWaiting,            // continues with the next Welcome (after a restart)
    kRecordingOutcome,   // the outcome is being written
    kOutcomeNotWritten,  // the disk refused the outcome; tried again
    kFinished,           // on disk, not acknowledged
  };
  struct Entry {
    v1::Action action;
    Phase phase = Phase::kRecording;
    v1::ActionOutcome outcome;
  };

  SessionCommands OnWelcome(const v1::Welcome& welcome, absl::Time now);
  SessionCommands OnDispatch(const v1::Action& action);
  SessionCommands OnOutcomeAcknowledged(const std::string& action_id);
  void SendSnapshot(SessionCommands& commands);
  void SendOutcome(const v1::ActionOutcome& outcome, SessionCommands& commands);

  const SessionIdentity identity_;
  std::map<std::string, Entry> entries_;
  // Current state of the host; absent until the reporter has looked.
  std::optional<v1::HostState> state_;
  bool connected_ = false;
  bool welcomed_ = false;
  bool snapshot_sent_ = false;
  uint64_t seq_ = 0;
  absl::Duration heartbeat_interval_ = absl::Seconds(10);
  absl::Time next_tick_ = absl::InfiniteFuture();
  // Lines of actions that nobody heard, by action id.
  std::map<std::string, uint64_t> unheard_lines_;
  std::string refusal_;
  std::string installation_;
  std::string key_id_;
};

}  // namespace fairlead::agent
