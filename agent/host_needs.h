// What containers that are to be made need of their host.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct HostNeeds {
  // As references.
  std::set<std::string> images;
  // By name; the engine's own, such as "bridge", are always there.
  std::set<std::string> networks;
  std::set<std::string> volumes;
  // Those with a fixed port of the host.
  std::vector<v1::ContainerSpec::Port> ports;

  void Add(const HostNeeds& other) {
    images.insert(other.images.begin(), other.images.end());
    networks.insert(other.networks.begin(), other.networks.end());
    volumes.insert(other.volumes.begin(), other.volumes.end());
    ports.insert(ports.end(), other.ports.begin(), other.ports.end());
  }
};

}  // namespace fairlead::agent
