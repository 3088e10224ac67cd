#include "resources/start_first.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "resources/container_spec.h"
#include "resources/replacement_names.h"

namespace fairlead::resources {
namespace {

// Empty: nothing is in the way.
std::string NetworkFault(const std::string& network) {
  const bool is_default = network.empty() || network == "bridge" || network == "default";
  if (is_default) return "in docker's default network a name cannot pass to another container";
  if (network == "host") return "two containers cannot share the ports of network \"host\"";
  if (network == "none") return "a container in network \"none\" has no name to pass on";
  if (absl::StartsWith(network, "container:")) {
    return absl::StrCat("a container in network \"", network, "\" has no name of its own");
  }
  return "";
}

std::string PortFault(const v1::Deployment& deployment) {
  for (const v1::ContainerSpec::Port& port : ReadablePortsOf(deployment)) {
    if (port.host_port() == 0) continue;
    return absl::StrCat("two containers cannot hold host port ", port.host_port(), " at once");
  }
  return "";
}

bool HasAddress(const v1::Resource& resource) {
  if (resource.deployment().extra_args().empty()) return false;
  const auto spec = ContainerSpecOf(resource);
  if (!spec.ok()) return false;
  const auto& engine = spec->engine().fields();
  const auto networking = engine.find("NetworkingConfig");
  if (engine.contains("MacAddress")) return true;
  return networking != engine.end() &&
         absl::StrContains(networking->second.ShortDebugString(), "IPAMConfig");
}

}  // namespace

std::optional<std::string> FindStartFirstFault(const v1::Resource& resource) {
  const v1::Deployment& deployment = resource.deployment();
  if (deployment.strategy() != v1::STRATEGY_START_FIRST) return std::nullopt;
  constexpr absl::string_view kInstead = ", or use strategy = \"recreate\"";
  if (const std::string fault = NetworkFault(deployment.network()); !fault.empty()) {
    return absl::StrCat("start_first: ", fault, "; put it into a user-defined network", kInstead);
  }
  if (const std::string fault = PortFault(deployment); !fault.empty()) {
    return absl::StrCat("start_first: ", fault, "; publish none, let docker choose it (\"0:80\")",
                        kInstead);
  }
  if (HasAddress(resource)) {
    return absl::StrCat("start_first: two containers cannot have one address at once; take --ip, ",
                        "--ip6 and --mac-address out of extra_args", kInstead);
  }
  if (!HasSpellings(DockerNameOf(resource))) {
    return absl::StrCat("start_first: to be passed on, the name \"", DockerNameOf(resource),
                        "\" needs two letters; choose another custom_name", kInstead);
  }
  return std::nullopt;
}

}  // namespace fairlead::resources
