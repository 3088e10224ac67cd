#include "resources/host_ports.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "resources/container_spec.h"

namespace fairlead::resources {
namespace {

bool IsAnyAddress(const std::string& address) {
  return address.empty() || address == "0.0.0.0" || address == "::";
}

bool Overlap(const HostPort& a, const HostPort& b) {
  return IsAnyAddress(a.address) || IsAnyAddress(b.address) || a.address == b.address;
}

}  // namespace

std::string HostPort::ToString() const {
  return absl::StrCat(address, address.empty() ? "" : ":", port, "/", protocol);
}

std::vector<HostPort> HostPortsOf(const v1::Resource& resource) {
  if (!resource.has_deployment() || !resource.deploy() || resource.template_() ||
      resource.state() != v1::WANTED_STATE_RUNNING || resource.deployment().network() == "host") {
    return {};
  }
  std::vector<HostPort> ports;
  for (const v1::ContainerSpec::Port& port : ReadablePorts(resource.deployment().ports())) {
    if (port.host_port() == 0) continue;
    ports.push_back({port.host_ip(), port.host_port(), port.protocol()});
  }
  return ports;
}

std::vector<PortConflict> FindPortConflicts(const std::vector<PortHolder>& holders) {
  struct Taken {
    std::size_t holder = 0;
    const HostPort* port = nullptr;
  };
  using Key = std::tuple<absl::string_view, uint32_t, absl::string_view>;
  absl::flat_hash_map<Key, std::vector<Taken>> taken;
  std::vector<PortConflict> conflicts;
  for (std::size_t i = 0; i < holders.size(); ++i) {
    std::set<std::size_t> others;
    for (const HostPort& port : *holders[i].ports) {
      std::vector<Taken>& same = taken[Key(holders[i].server, port.port, port.protocol)];
      const auto other = std::find_if(same.begin(), same.end(), [&](const Taken& before) {
        return before.holder != i && Overlap(*before.port, port);
      });
      if (other == same.end()) {
        same.push_back({i, &port});
      } else if (others.insert(other->holder).second) {
        conflicts.push_back({other->holder, i, port});
      }
    }
  }
  return conflicts;
}

}  // namespace fairlead::resources
