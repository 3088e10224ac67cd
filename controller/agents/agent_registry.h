// Which agents are connected: the shell around SessionTable.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/agents/session_table.h"
#include "controller/loop/agent_link.h"
#include "controller/loop/observer.h"
#include "sync/live.h"

namespace fairlead::agents {

// The outgoing side of one stream. Thread-safe. The first four only note what is wanted, so that
// they may be called under a lock; Flush carries it out.
class SessionLink {
 public:
  virtual ~SessionLink() = default;
  // False when the link is ending or its queue is full; the message is dropped.
  virtual bool Enqueue(v1::ControllerMessage message) = 0;
  // Ends the stream once what is queued is written. Later calls change nothing.
  virtual void CloseAfterQueue(const absl::Status& why) = 0;
  // Ends the stream without writing what is queued.
  virtual void Abort(const absl::Status& why) = 0;
  virtual void Flush() = 0;
};

// Sessions of all agents, their hosts' live state, and the way to them. Thread-safe. No lock is
// held when it calls events, the observer, a link's Flush or a log callback. Events are told one
// at a time, in the order in which they came about. Lives longer than every stream: after
// Shutdown() none is left.
class AgentRegistry final : public loop::AgentLink {
 public:
  using LogCallback = std::function<void(const v1::LogLines&)>;

  // `clock` and `observer` (which may be null) must outlive the registry.
  AgentRegistry(SessionTerms terms, base::Clock& clock, loop::Observer* observer);
  ~AgentRegistry() override;

  // Requires: called before the first Open. `events` must outlive Shutdown().
  void SetEvents(loop::AgentEvents* events);

  // The loop's side; see AgentLink. False also when the agent's queue is full: its stream is then
  // ended.
  bool Dispatch(const std::string& server, SessionId session, const v1::Action& action) override;
  bool Cancel(const std::string& server, const std::string& action_id,
              const std::string& why) override;
  bool AcknowledgeOutcome(const std::string& server, const std::string& action_id) override;

  // See SessionTable.
  void SetAutonomy(const std::map<std::string, v1::AutonomyTerms>& terms);

  // Asks the server's agent for log lines. `callback` gets them until `end`, which it gets exactly
  // once, unless CancelLogs comes first; it must return at once. Returns the id for CancelLogs, 0
  // when the server has no session.
  uint64_t StartLogs(const std::string& server, const v1::LogRequest& request,
                     LogCallback callback);
  // The callback may still be running in another thread when this returns.
  void CancelLogs(uint64_t request_id);

  // All hosts ever heard of, as of now.
  std::shared_ptr<const sync::LiveState> Live();
  // Connected agents, by name.
  std::vector<AgentSummary> Agents();

  // Ends silent sessions. Call about once a second.
  void Tick(absl::Time now);

  // Says Goodbye to all, gives streams two seconds to end by themselves, cancels the rest, and
  // returns when all are done. Never call it from a stream's or an event's callback.
  void Shutdown();

  // Ends the sessions whose certificate is of `server`; see SessionTable.
  void End(const std::string& server, const std::string& why, bool refusal);

  // The streams' side. Open returns 0 while shutting down; otherwise `link` is kept until OnDone.
  SessionId Open(std::shared_ptr<SessionLink> link, const PeerCertificate& certificate);
  void OnMessage(SessionId session, const v1::AgentMessage& message);
  // Nothing more will be read.
  void OnClosed(SessionId session);
  // The link will not be used by its transport any more.
  void OnDone(SessionId session);

 private:
  using Links = std::vector<std::shared_ptr<SessionLink>>;

  // Hands sends to their links and queues what is to be told; `touched` are the links to flush.
  // False when a message was dropped.
  // The time, after what a jump of the clock asks for.
  absl::Time NowLocked(Links* touched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CarryOutLocked(TableCommands commands, Links* touched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The session's link, noted as touched; null when it is gone.
  SessionLink* TouchLocked(SessionId session, Links* touched) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells what is queued, unless another thread is at it.
  void Deliver() ABSL_LOCKS_EXCLUDED(mutex_);
  void Tell(const TableCommand& command) ABSL_LOCKS_EXCLUDED(mutex_);
  void TellLogLines(const v1::LogLines& lines) ABSL_LOCKS_EXCLUDED(mutex_);

  base::Clock& clock_;
  loop::Observer* const observer_;
  loop::AgentEvents* events_ = nullptr;

  base::Mutex mutex_;
  base::CondVar all_done_;
  SessionTable table_ ABSL_GUARDED_BY(mutex_);
  // The wall time at which the clock's uptime began.
  absl::Time started_ ABSL_GUARDED_BY(mutex_);
  std::map<SessionId, std::shared_ptr<SessionLink>> links_ ABSL_GUARDED_BY(mutex_);
  SessionId last_session_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shutting_down_ ABSL_GUARDED_BY(mutex_) = false;
  // Made when asked for; null after a change.
  std::shared_ptr<const sync::LiveState> live_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::shared_ptr<const LogCallback>> logs_ ABSL_GUARDED_BY(mutex_);
  std::deque<TableCommand> untold_ ABSL_GUARDED_BY(mutex_);
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::agents
