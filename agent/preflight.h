// What is looked at before containers are stopped for their successors.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "agent/host_needs.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// Named volumes count for nothing: the engine makes them.
HostNeeds NeedsOf(const v1::ContainerSpec& spec);

// What may change until the containers are made.
struct HostChange {
  // Containers of the resource, which make room.
  std::set<std::string> going;
  // Other containers of ours may go too: the ports that they publish count for nothing.
  bool ours_may_go = false;
  // Networks and volumes that are not there may come.
  bool networks_may_come = false;
};

// Whether containers with these needs can be made and started on this host: the images are of an
// architecture that the engine runs, networks and volumes are there, no other container publishes
// their ports, and the engine's disk has room. FailedPrecondition says what is in the way; the
// engine is only read. Requires: the images are present.
absl::Status CheckCanRun(const ActionScope& scope, const HostNeeds& needs,
                         const HostChange& change);

// Whether a rename reaches the engine's DNS, so that a container can take over the name of one that
// serves. FailedPrecondition where it does not.
absl::Status CheckCanPassName(const ActionScope& scope);

// An engine of `engine` runs images of `image`: both as Go names architectures ("amd64").
bool CanRunArchitecture(const std::string& engine, const std::string& image);

}  // namespace fairlead::agent
