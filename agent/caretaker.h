// Keeps a host as it was last applied while the controller is away.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/applied_store.h"
#include "agent/autonomous_heal.h"
#include "agent/session.h"
#include "fairlead/v1/agent.pb.h"
#include "fairlead/v1/journal.pb.h"

namespace fairlead::agent {

// Remembers terms and bodies, on disk and in memory, and says what to heal; what it says is
// performed by its owner. Confined to the session thread.
class Caretaker {
 public:
  // `folder` holds its files.
  explicit Caretaker(const std::string& folder);

  // At the start of the process; what cannot be read is missing from then on. Returns whose
  // containers are ours, when an agent that starts without a controller may act.
  std::optional<UseInstallation> Load(absl::Time now);

  void OnWelcome(const v1::Welcome& welcome, absl::Time now);
  void OnTerms(const v1::AutonomyTerms& terms, absl::Time now);
  // Any message of the controller.
  void OnContact(absl::Time now);
  void OnDisconnected(absl::Time now);

  // Before an action changes anything. An error means that the action must not begin: what it
  // ends could come back.
  absl::Status OnBegun(const v1::Action& action);
  void OnSucceeded(const v1::Action& action);

  // What to do now, with `open` the resources of actions that have not ended. Each is under way
  // until OnHealed. Nothing while connected.
  std::vector<v1::Action> Decide(const v1::HostState& host, std::set<std::string> open,
                                 absl::Time now);
  // True when the outcome is that of a heal.
  bool OnHealed(const v1::ActionOutcome& outcome, absl::Time now);
  // When to decide again if nothing happens; known after Decide.
  absl::Time wake() const { return wake_; }

  // What was done alone, to be told now; forgotten with this.
  std::vector<v1::AgentNotice> TakeNotices();

 private:
  struct UnderWay {
    std::string resource;
    std::string reason;
  };

  void SaveState();
  absl::Status Store(const std::string& resource, const std::optional<v1::AppliedBody>& body);
  std::optional<v1::AppliedBody> Find(const std::string& resource) const;

  const AppliedStore store_;
  v1::AutonomyState state_;
  AppliedBodies bodies_;
  absl::Time last_contact_ = absl::InfinitePast();
  absl::Time saved_contact_ = absl::InfinitePast();
  absl::Time alone_since_;
  bool connected_ = false;
  std::map<std::string, std::vector<absl::Time>> heals_;
  // By action id.
  std::map<std::string, UnderWay> under_way_;
  // How the last heal of each resource ended.
  std::map<std::string, std::string> last_end_;
  absl::Time wake_ = absl::InfiniteFuture();
};

}  // namespace fairlead::agent
