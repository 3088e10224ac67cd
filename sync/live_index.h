// What of each resource is there, on which host. Internal to the planner.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

#include "sync/live.h"

namespace fairlead::sync {

// All that one host holds of one resource.
struct OwnedOnHost {
  // By label of this installation.
  absl::InlinedVector<const v1::Container*, 2> containers;
  const v1::Project* project = nullptr;
};

// One host's containers by resource. Immutable; keeps the host alive.
struct HostIndex {
  std::shared_ptr<const HostLive> host;
  absl::flat_hash_map<absl::string_view, OwnedOnHost> owned;
};

using HostIndexes = std::map<std::string, std::shared_ptr<const HostIndex>>;

// Hosts that did not change since `previous` (may be null) are not indexed again.
std::shared_ptr<const HostIndexes> IndexHosts(const LiveState& live,
                                              const std::string& installation,
                                              const HostIndexes* previous);

// Containers of a host by name, ours and foreign, and foreign ones by compose project.
struct NameIndex {
  absl::flat_hash_map<absl::string_view, const v1::Container*> by_name;
  absl::flat_hash_map<absl::string_view, std::vector<const v1::Container*>> foreign_projects;
};

// Where a resource is.
struct Presence {
  struct Place {
    const HostLive* host = nullptr;
    const OwnedOnHost* owned = nullptr;
  };
  // In order of server.
  absl::InlinedVector<Place, 1> places;
};

// Answers by resource and by name over all hosts. Confined to one planning pass.
class LiveIndex {
 public:
  LiveIndex(std::shared_ptr<const HostIndexes> hosts, std::string installation)
      : installation_(std::move(installation)), hosts_(std::move(hosts)) {}

  // `resource` is "deployment/web". Many lookups: see Prepare.
  Presence Find(absl::string_view resource) const;

  // Makes Find independent of the number of hosts; worth it for many lookups.
  void Prepare();

  // Resources that a host holds something of. Requires: Prepare.
  const absl::flat_hash_map<absl::string_view, Presence>& all() const { return all_; }

  // Names on a host, indexed at the first question.
  const NameIndex& Names(const HostLive& host);

  bool IsOurs(const v1::Container& container) const {
    return container.installation() == installation_ && !container.resource().empty();
  }

  const HostIndexes& hosts() const { return *hosts_; }
  const std::shared_ptr<const HostIndexes>& shared_hosts() const { return hosts_; }

 private:
  const std::string installation_;
  const std::shared_ptr<const HostIndexes> hosts_;
  bool prepared_ = false;
  absl::flat_hash_map<absl::string_view, Presence> all_;
  absl::flat_hash_map<const HostLive*, std::unique_ptr<NameIndex>> names_;
};

}  // namespace fairlead::sync
