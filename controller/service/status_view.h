// From the loop's picture to what the API answers. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/loop/core.h"
#include "controller/loop/sync_poller.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::service {

// What the registry knows of an agent.
struct AgentView {
  std::string version;
  absl::Duration lag;
  absl::Time last_seen;
};

struct StatusInput {
  const loop::LoopView& view;
  std::map<std::string, loop::FetchState> fetches;
  std::map<std::string, AgentView> agents;
};

// All syncs and servers, and what is not well. `sync` narrows to one; NotFound when unknown.
absl::StatusOr<v1::GetStatusResponse> ComputeStatusResponse(const StatusInput& input,
                                                            const std::string& sync);

// One resource with its status; NotFound names close matches.
absl::StatusOr<v1::ResourceView> ComputeResourceView(const StatusInput& input,
                                                     const resources::ResourceId& id);

// All of a kind, or all kinds for an empty one; InvalidArgument for an unknown kind.
absl::StatusOr<std::vector<v1::ResourceView>> ComputeResourceViews(const StatusInput& input,
                                                                   const std::string& kind);

}  // namespace fairlead::service
