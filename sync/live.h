// Live state: what the agents say is true.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "fairlead/v1/live.pb.h"

namespace fairlead::sync {

// One host at one moment. Immutable; a change makes a new one that shares its containers.
struct HostLive {
  std::string server;
  // A session is open and its snapshot has arrived.
  bool online = false;
  bool engine_up = false;
  std::string engine_error;
  // Raised by every change.
  uint64_t generation = 0;
  // Host clock minus controller clock.
  absl::Duration clock_offset;
  uint32_t cpus = 0;
  absl::Time last_seen = absl::InfinitePast();
  // By container id.
  std::map<std::string, std::shared_ptr<const v1::Container>> containers;
  // By resource.
  std::map<std::string, std::shared_ptr<const v1::Project>> projects;
};

// All hosts. Immutable; readers hold it by shared_ptr<const LiveState>.
struct LiveState {
  std::map<std::string, std::shared_ptr<const HostLive>> hosts;
};

// `host` with a snapshot or a delta applied; generation raised.
std::shared_ptr<const HostLive> ApplySnapshot(const HostLive& host, const v1::HostState& state);
std::shared_ptr<const HostLive> ApplyDelta(const HostLive& host, const v1::HostDelta& delta);

// Resources that a change from `before` to `after` concerns ("deployment/web", by label), and
// with `names` the container names of foreign containers that came or went.
struct LiveChange {
  std::vector<std::string> resources;
  std::vector<std::string> foreign_names;
  // Connectivity or engine state changed: every resource of the server is concerned.
  bool whole_host = false;
};
LiveChange ComputeLiveChange(const HostLive* before, const HostLive& after);

}  // namespace fairlead::sync
