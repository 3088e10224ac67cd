#include "agent/preflight.h"

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "base/status.h"
#include "resources/host_ports.h"

namespace fairlead::agent {
namespace {

// With less room than this even the log of a container may not fit.
constexpr std::uintmax_t kLeastRoom = 64u << 20;

absl::Status InTheWay(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat("pre-flight: ", what, "; nothing was changed"));
}

absl::Status CheckArchitecture(const ActionScope& scope, const std::string& image) {
  ASSIGN_OR_RETURN(const ImageFacts facts, scope.engine.InspectImage(image, scope.limits));
  ASSIGN_OR_RETURN(const std::string engine, scope.engine.Architecture(scope.limits));
  if (facts.architecture.empty() || engine.empty() ||
      CanRunArchitecture(engine, facts.architecture)) {
    return absl::OkStatus();
  }
  return InTheWay(
      absl::StrCat("image ", image, " is for ", facts.architecture, ", this host is ", engine));
}

// The engine's own networks, and those of other containers.
bool IsNamedNetwork(const std::string& network) {
  return !network.empty() && network != "bridge" && network != "host" && network != "none" &&
         network != "default" && !absl::StartsWith(network, "container:");
}

absl::Status CheckNetwork(const ActionScope& scope, const std::string& network) {
  if (!IsNamedNetwork(network)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool there, scope.engine.HasNetwork(network, scope.limits));
  return there ? absl::OkStatus()
               : InTheWay(absl::StrCat("there is no network ", network,
                                       " on this host; make it with: docker network create ",
                                       network));
}

// `held` is as in v1::Container::host_ports.
bool Collides(const v1::ContainerSpec::Port& port, const std::string& held) {
  const auto other = resources::ParseHostPort(held);
  const resources::HostPort wanted{port.host_ip(), port.host_port(), port.protocol()};
  return other.ok() && wanted.Collides(*other);
}

absl::Status CheckVolume(const ActionScope& scope, const std::string& volume) {
  ASSIGN_OR_RETURN(const bool there, scope.engine.HasVolume(volume, scope.limits));
  return there
             ? absl::OkStatus()
             : InTheWay(absl::StrCat("there is no volume ", volume,
                                     " on this host; make it with: docker volume create ", volume));
}

absl::Status CheckPorts(const ActionScope& scope,
                        const std::vector<v1::ContainerSpec::Port>& wanted,
                        const HostChange& change) {
  if (wanted.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const boost::json::array listed, scope.engine.ListContainers({}, scope.limits));
  for (const boost::json::value& element : listed) {
    if (!element.is_object()) continue;
    const v1::Container container = ToBriefContainer(element.as_object());
    if (change.going.contains(container.id()) || !IsUp(container)) continue;
    if (change.ours_may_go && container.installation() == scope.installation) continue;
    for (const std::string& held : container.host_ports()) {
      for (const v1::ContainerSpec::Port& port : wanted) {
        if (!Collides(port, held)) continue;
        return InTheWay(absl::StrCat("port ", held, " is taken by container ", container.name()));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRoom(const ActionScope& scope) {
  ASSIGN_OR_RETURN(const std::string root, scope.engine.DataRoot(scope.limits));
  if (root.empty()) return absl::OkStatus();
  std::error_code error;
  const std::filesystem::space_info room = std::filesystem::space(root, error);
  // An agent that does not see the engine's disk cannot judge it.
  if (error || room.available >= kLeastRoom) return absl::OkStatus();
  return InTheWay(absl::StrCat("the engine's disk has ", room.available >> 20, " MiB left in ",
                               root, ", less than ", kLeastRoom >> 20));
}

}  // namespace

bool CanRunArchitecture(const std::string& engine, const std::string& image) {
  return engine == image || (engine == "amd64" && image == "386") ||
         (engine == "arm64" && image == "arm");
}

absl::Status CheckCanPassName(const ActionScope& scope) {
  ASSIGN_OR_RETURN(const v1::EngineVersion engine, scope.engine.Version(scope.limits));
  if (engine.name() == "docker") return absl::OkStatus();
  return InTheWay(absl::StrCat("start_first needs docker: ", engine.name(),
                               " does not tell its DNS of a new name"));
}

HostNeeds NeedsOf(const v1::ContainerSpec& spec) {
  HostNeeds needs{
      .images = {spec.image()}, .networks = {spec.network()}, .volumes = {}, .ports = {}};
  for (const v1::ContainerSpec::Port& port : spec.ports()) {
    if (port.host_port() != 0) needs.ports.push_back(port);
  }
  return needs;
}

absl::Status CheckCanRun(const ActionScope& scope, const HostNeeds& needs,
                         const HostChange& change) {
  for (const std::string& image : needs.images) RETURN_IF_ERROR(CheckArchitecture(scope, image));
  if (!change.networks_may_come) {
    for (const std::string& network : needs.networks) RETURN_IF_ERROR(CheckNetwork(scope, network));
    for (const std::string& volume : needs.volumes) RETURN_IF_ERROR(CheckVolume(scope, volume));
  }
  RETURN_IF_ERROR(CheckPorts(scope, needs.ports, change));
  return CheckRoom(scope);
}

}  // namespace fairlead::agent
