#include "sync/live_index.h"

namespace fairlead::sync {
namespace {

std::shared_ptr<const HostIndex> IndexHost(const std::shared_ptr<const HostLive>& host,
                                           const std::string& installation) {
  auto index = std::make_shared<HostIndex>();
  index->host = host;
  index->owned.reserve(host->containers.size());
  for (const auto& [id, container] : host->containers) {
    if (container->installation() != installation || container->resource().empty()) continue;
    index->owned[container->resource()].containers.push_back(container.get());
  }
  for (const auto& [resource, project] : host->projects) {
    index->owned[resource].project = project.get();
  }
  return index;
}

}  // namespace

std::shared_ptr<const HostIndexes> IndexHosts(const LiveState& live,
                                              const std::string& installation,
                                              const HostIndexes* previous) {
  static const HostIndexes* const kNone = new HostIndexes();
  const HostIndexes& old = previous == nullptr ? *kNone : *previous;
  auto hosts = std::make_shared<HostIndexes>();
  auto known = old.begin();
  for (const auto& [name, host] : live.hosts) {
    while (known != old.end() && known->first < name) ++known;
    const bool same = known != old.end() && known->first == name && known->second->host == host;
    hosts->emplace_hint(hosts->end(), name, same ? known->second : IndexHost(host, installation));
  }
  return hosts;
}

Presence LiveIndex::Find(absl::string_view resource) const {
  if (prepared_) {
    const auto it = all_.find(resource);
    return it == all_.end() ? Presence() : it->second;
  }
  Presence presence;
  for (const auto& [name, index] : *hosts_) {
    const auto it = index->owned.find(resource);
    if (it != index->owned.end()) presence.places.push_back({index->host.get(), &it->second});
  }
  return presence;
}

void LiveIndex::Prepare() {
  if (prepared_) return;
  prepared_ = true;
  size_t total = 0;
  for (const auto& [name, index] : *hosts_) total += index->owned.size();
  all_.reserve(total);
  for (const auto& [name, index] : *hosts_) {
    for (const auto& [resource, owned] : index->owned) {
      all_[resource].places.push_back({index->host.get(), &owned});
    }
  }
}

const NameIndex& LiveIndex::Names(const HostLive& host) {
  std::unique_ptr<NameIndex>& names = names_[&host];
  if (names != nullptr) return *names;
  names = std::make_unique<NameIndex>();
  names->by_name.reserve(host.containers.size());
  for (const auto& [id, container] : host.containers) {
    names->by_name[container->name()] = container.get();
    if (!IsOurs(*container) && !container->compose_project().empty()) {
      names->foreign_projects[container->compose_project()].push_back(container.get());
    }
  }
  return *names;
}

}  // namespace fairlead::sync
