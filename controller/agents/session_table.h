// The controller's end of the session protocol for all agents, without I/O: events and the time go
// in, commands come out. The shell (agent_registry.h) connects it to streams and to the loop.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "fairlead/v1/agent.pb.h"
#include "sync/live.h"

namespace fairlead::agents {

// One stream. Never 0, never given out twice.
using SessionId = uint64_t;

// Commands, to be carried out in order.
struct SendTo {
  SessionId session = 0;
  v1::ControllerMessage message;
};
// End the stream once everything sent before is written.
struct CloseSession {
  SessionId session = 0;
  absl::Status why;
};
// End the stream at once, whatever is still unwritten.
struct AbortSession {
  SessionId session = 0;
  absl::Status why;
};
struct TellHost {
  std::shared_ptr<const sync::HostLive> host;
};
struct TellJournal {
  std::string server;
  SessionId session = 0;
  v1::JournalReport report;
};
struct TellOutcome {
  std::string server;
  v1::ActionOutcome outcome;
};
struct TellProgress {
  std::string server;
  v1::ActionProgress progress;
};
struct TellNotice {
  std::string server;
  v1::AgentNotice notice;
};
struct TellActionLog {
  std::string server;
  v1::ActionLog log;
};
// For the asker of `lines.request_id`; `lines.end` is told exactly once.
struct TellLogs {
  v1::LogLines lines;
};
// Time from a change on the host to its arrival here.
struct TellLag {
  std::string server;
  absl::Duration lag;
};
struct TellConnected {
  uint32_t agents = 0;
};
using TableCommand =
    std::variant<SendTo, CloseSession, AbortSession, TellHost, TellJournal, TellOutcome,
                 TellProgress, TellNotice, TellActionLog, TellLogs, TellLag, TellConnected>;
using TableCommands = std::vector<TableCommand>;

// The certificate of a stream's peer.
struct PeerCertificate {
  // The one server that it may speak for; empty when there is none.
  std::string server;
  // The session ends at this time.
  absl::Time not_after = absl::InfiniteFuture();
};

// What each Welcome says.
struct SessionTerms {
  std::string installation;
  std::string hash_key;
  std::string hash_key_id;
  std::string controller_version;
  absl::Duration heartbeat_interval = absl::Seconds(5);
};

// One connected agent, for status.
struct AgentSummary {
  std::string server;
  std::string instance_id;
  std::string version;
  absl::Time connected_since;
  // Last message of any kind.
  absl::Time last_seen;
  // Of the last change or heartbeat, whichever came later.
  absl::Duration lag;
  // Empty until the first snapshot.
  v1::EngineVersion engine;
};

// Who is connected, and what the hosts last said. Confined to one thread, or used under a lock.
// Hosts are remembered after their session ends: offline, with the last known containers.
class SessionTable {
 public:
  explicit SessionTable(SessionTerms terms);

  // A stream opened; nothing is said before its Hello. Requires: `session` is new.
  void OnOpened(SessionId session, const PeerCertificate& certificate, absl::Time now);
  TableCommands OnMessage(SessionId session, const v1::AgentMessage& message, absl::Time now);
  // The stream ended, whoever ended it. Unknown sessions are ignored.
  TableCommands OnClosed(SessionId session, absl::Time now);
  // Ends what was silent for three heartbeat intervals, and what has a certificate that is over.
  // Call about once a second.
  TableCommands OnTick(absl::Time now);
  // Our own wall time was set forward by `jump`, or back: what is known of the hosts' clocks and
  // silence is corrected at once, before anything of theirs is taken for old.
  TableCommands OnClockJump(absl::Duration jump);
  // Ends the sessions whose certificate is of `server`. A `refusal` tells the agent not to come
  // back at once.
  TableCommands End(const std::string& server, const std::string& why, bool refusal,
                    absl::Time now);
  // Says Goodbye to all.
  TableCommands Shutdown(absl::Time now);

  // What agents may do without the controller, by server; servers that are not named keep theirs.
  // Tells sessions whose terms changed.
  TableCommands SetAutonomy(const std::map<std::string, v1::AutonomyTerms>& terms);

  // These add to `commands` and return true, or return false when the server has no session that
  // has sent its journal: what is dispatched earlier would be missing in that journal, as if lost.
  // Dispatch goes to `session` or not at all: the loop may not have seen a newer one's journal yet.
  bool Dispatch(const std::string& server, SessionId session, const v1::Action& action,
                TableCommands* commands);
  bool Cancel(const std::string& server, const std::string& action_id, const std::string& why,
              TableCommands* commands);
  bool AcknowledgeOutcome(const std::string& server, const std::string& action_id,
                          TableCommands* commands);

  // Returns the id that the lines carry (`request.request_id` is ignored); 0 without a session.
  uint64_t StartLogs(const std::string& server, const v1::LogRequest& request,
                     TableCommands* commands);
  // No more TellLogs for it.
  TableCommands CancelLogs(uint64_t request_id);

  const std::map<std::string, std::shared_ptr<const sync::HostLive>>& hosts() const {
    return hosts_;
  }
  std::vector<AgentSummary> Agents() const;

 private:
  enum class Phase {
    kGreeting,  // the Hello is awaited
    kOpen,      // welcomed; holds its server's name
    kClosing,   // told to end; what it says is ignored
  };
  struct Session {
    PeerCertificate certificate;
    Phase phase = Phase::kGreeting;
    std::string server;
    std::string instance_id;
    std::string version;
    uint32_t cpus = 0;
    absl::Time opened_at;
    absl::Time last_message;
    absl::Time closing_since;
    bool journal_seen = false;
    // A snapshot has arrived and there was no gap since.
    bool in_sequence = false;
    bool snapshot_requested = false;
    uint64_t seq = 0;
    // Changes applied since the last Acknowledge.
    uint32_t unacknowledged = 0;
    // Agent clock minus arrival time, of the last heartbeats.
    std::deque<absl::Duration> clock_samples;
    absl::Duration clock_offset;
    absl::Duration lag;
    v1::EngineVersion engine;
    // Requests not ended.
    std::set<uint64_t> logs;
    // The instance that was last refused because this one holds the name.
    std::string rival;
  };

  void OnHello(SessionId id, Session& session, const v1::Hello& hello, absl::Time now,
               TableCommands& commands);
  void OnWelcomed(SessionId id, Session& session, const v1::AgentMessage& message, absl::Time now,
                  TableCommands& commands);
  void OnSnapshot(SessionId id, Session& session, const v1::Snapshot& snapshot, absl::Time now,
                  TableCommands& commands);
  void OnDelta(SessionId id, Session& session, const v1::Delta& delta, absl::Time now,
               TableCommands& commands);
  void OnHeartbeat(SessionId id, Session& session, const v1::Heartbeat& heartbeat, absl::Time now,
                   TableCommands& commands);
  void OnLogs(Session& session, const v1::LogLines& lines, TableCommands& commands);

  void Acknowledge(SessionId id, Session& session, TableCommands& commands);
  void Part(SessionId id, Session& session, v1::Goodbye::Reason reason, const absl::Status& why,
            absl::Time now, TableCommands& commands);
  void Refuse(SessionId id, Session& session, const absl::Status& why, absl::Time now,
              TableCommands& commands);
  // Gives the server's name back and tells what no longer holds. The phase is kClosing after it.
  void Release(Session& session, absl::Time now, TableCommands& commands);
  // The session of `server` that takes commands; null without one. `id` is set with it.
  Session* Find(const std::string& server, SessionId* id);

  const SessionTerms terms_;
  std::map<SessionId, Session> sessions_;
  // Sessions in phase kOpen.
  std::map<std::string, SessionId> by_server_;
  std::map<std::string, std::shared_ptr<const sync::HostLive>> hosts_;
  // Told to each session behind its Welcome.
  std::map<std::string, v1::AutonomyTerms> autonomy_;
  // By the server of their certificate, the other name they asked for last.
  std::map<std::string, std::string> impostors_;
  uint64_t last_log_request_ = 0;
};

}  // namespace fairlead::agents
