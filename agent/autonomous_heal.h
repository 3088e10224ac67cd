// What an agent does by itself while the controller is away: decided here, without I/O.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "fairlead/v1/agent.pb.h"
#include "fairlead/v1/journal.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// What is known of a resource once `action` is about to begin, or has succeeded; nothing: it is
// not to be healed. A stop and a removal count from their beginning, so that a controller that
// dies in the middle of one does not bring back what it ended.
std::optional<v1::AppliedBody> BodyWhenBegun(const std::optional<v1::AppliedBody>& before,
                                             const v1::Action& action);
std::optional<v1::AppliedBody> BodyWhenDone(const std::optional<v1::AppliedBody>& before,
                                            const v1::Action& action);

using AppliedBodies = std::map<std::string, v1::AppliedBody>;

// What decides. Refers to its owner's members; lives for one decision.
struct AutonomyFacts {
  const v1::AutonomyTerms& terms;
  const std::string& installation;
  // The controller's last word, and since when this process has been without it.
  absl::Time last_contact;
  absl::Time alone_since;
  const v1::HostState& host;
  // By resource.
  const AppliedBodies& bodies;
  // Resources with an action, or a heal, that has not ended.
  const std::set<std::string>& open;
  // When each resource was healed, oldest first.
  const std::map<std::string, std::vector<absl::Time>>& heals;
};

struct AutonomousHeal {
  // A start, or exactly what was applied last with an image that is not pulled anew.
  v1::Action action;
  // "exited with 1", "was removed".
  std::string reason;
};

struct AutonomousPlan {
  std::vector<AutonomousHeal> heals;
  // When time alone may change this plan.
  absl::Time wake = absl::InfiniteFuture();
};

// Nothing in the first seconds, after the ttl, of what the terms leave alone, was stopped, has an
// open action or a replacement under way, or is of another spec than the one applied last. A job
// that has ended well stays ended, and is not made again when it is gone. Crash loops are slowed
// down as the controller does it.
AutonomousPlan DecideAutonomousHeal(const AutonomyFacts& facts, absl::Time now);

}  // namespace fairlead::agent
