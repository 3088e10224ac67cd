#include "resources/host_ports.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "resources/container_spec.h"

namespace fairlead::resources {

bool IsAnyAddress(absl::string_view address) {
  return address.empty() || address == "0.0.0.0" || address == "::" || address == "[::]";
}

std::string HostPort::ToString() const {
  return absl::StrCat(address, address.empty() ? "" : ":", port, "/", protocol);
}

bool HostPort::Collides(const HostPort& other) const {
  return port == other.port && protocol == other.protocol &&
         (IsAnyAddress(address) || IsAnyAddress(other.address) || address == other.address);
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  HostPort parsed;
  const std::size_t slash = text.rfind('/');
  // An address of IP version 6 has colons of its own.
  const std::size_t colon = text.substr(0, slash).rfind(':');
  const std::size_t begin = colon == absl::string_view::npos ? 0 : colon + 1;
  if (slash == absl::string_view::npos ||
      !absl::SimpleAtoi(text.substr(begin, slash - begin), &parsed.port)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not a port such as 127.0.0.1:8080/tcp"));
  }
  parsed.protocol = std::string(text.substr(slash + 1));
  if (begin > 0) parsed.address = std::string(text.substr(0, begin - 1));
  return parsed;
}

std::vector<HostPort> HostPortsOf(const v1::Resource& resource) {
  if (!resource.has_deployment() || !resource.deploy() || resource.template_() ||
      resource.state() != v1::WANTED_STATE_RUNNING || resource.deployment().network() == "host") {
    return {};
  }
  std::vector<HostPort> ports;
  for (const v1::ContainerSpec::Port& port : ReadablePortsOf(resource.deployment())) {
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
        return before.holder != i && before.port->Collides(port);
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
