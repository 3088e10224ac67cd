// Ports of a server that deployments publish.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// Empty, "0.0.0.0" and "::" mean all addresses of a host; "[::]" is the last one as some engines
// write it.
bool IsAnyAddress(absl::string_view address);

struct HostPort {
  // As IsAnyAddress for all.
  std::string address;
  uint32_t port = 0;
  // "tcp", "udp" or "sctp".
  std::string protocol;

  bool operator==(const HostPort&) const = default;
  // "8080/tcp" or "127.0.0.1:8080/tcp".
  std::string ToString() const;
  // Whether a host cannot give both.
  bool Collides(const HostPort& other) const;
};

// From what ToString returns. InvalidArgument for anything else.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view text);

// The ports that are taken on the server while the deployment runs. Lines that cannot be read,
// ports the engine chooses and those of a deployment that does not run are left out; other kinds
// have none.
std::vector<HostPort> HostPortsOf(const v1::Resource& resource);

// Who publishes what where.
struct PortHolder {
  absl::string_view server;
  // Outlives the holder.
  const std::vector<HostPort>* ports = nullptr;
};

// Two holders, by place in the list, and the first port of the second one that both want.
struct PortConflict {
  std::size_t first = 0;
  std::size_t second = 0;
  HostPort port;
};

// Each pair once, in order of `second`. Of many holders of one port each is paired with the first
// one.
std::vector<PortConflict> FindPortConflicts(const std::vector<PortHolder>& holders);

}  // namespace fairlead::resources
