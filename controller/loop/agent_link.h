// The loop's view of the agents: events come in, actions go out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/agent.pb.h"
#include "sync/live.h"

namespace fairlead::loop {

// What agents tell. Thread-safe; every method returns at once (it queues).
class AgentEvents {
 public:
  virtual ~AgentEvents() = default;
  // A host's state changed, came or went (online = false).
  virtual void OnHost(std::shared_ptr<const sync::HostLive> host) = 0;
  virtual void OnOutcome(const std::string& server, const v1::ActionOutcome& outcome) = 0;
  virtual void OnProgress(const std::string& server, const v1::ActionProgress& progress) = 0;
  // Once after each (re)connect, before the first outcome of the session. `session` is never 0 and
  // never repeated.
  virtual void OnJournal(const std::string& server, uint64_t session,
                         const v1::JournalReport& report) = 0;
  virtual void OnNotice(const std::string& server, const v1::AgentNotice& notice) = 0;
  // Output of an action, as it is written.
  virtual void OnActionLog(const std::string& server, const v1::ActionLog& log) = 0;
};

// How the loop reaches agents. Thread-safe; returns at once; false when the server has no
// session (nothing was sent).
class AgentLink {
 public:
  virtual ~AgentLink() = default;
  // `session` is the one whose journal the loop has taken in. False also when it is not the
  // server's present one: the journal still on its way would not hold the action, which would be
  // judged lost while it runs.
  virtual bool Dispatch(const std::string& server, uint64_t session, const v1::Action& action) = 0;
  virtual bool Cancel(const std::string& server, const std::string& action_id,
                      const std::string& why) = 0;
  virtual bool AcknowledgeOutcome(const std::string& server, const std::string& action_id) = 0;
};

}  // namespace fairlead::loop
