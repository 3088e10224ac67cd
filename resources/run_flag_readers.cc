#include "resources/run_flag_readers.h"

#include <map>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "resources/host_bindings.h"
#include "resources/run_values.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

template <bool kInBytes>
absl::Status AddThrottle(absl::string_view target, const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Value throttle, ReadThrottle(value, kInBytes));
  AddTo(filling.spec, target, std::move(throttle));
  return absl::OkStatus();
}

// The container's place in its network.
absl::StatusOr<Struct*> Endpoint(Filling& filling) {
  const std::string& network = filling.spec.network();
  if (network.empty() || network == "bridge" || network == "default" || network == "host" ||
      network == "none" || absl::StartsWith(network, "container:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("works in a user-defined network only, not in \"",
                     network.empty() ? "bridge" : network, "\"; set network"));
  }
  return PlaceIn(filling.spec,
                 std::vector<std::string>{"NetworkingConfig", "EndpointsConfig", network})
      .mutable_struct_value();
}

absl::Status SetAddress(const char* field, const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Struct * endpoint, Endpoint(filling));
  Struct& ipam = *(*endpoint->mutable_fields())["IPAMConfig"].mutable_struct_value();
  (*ipam.mutable_fields())[field] = TextValue(value);
  return absl::OkStatus();
}

absl::StatusOr<v1::ContainerSpec::Healthcheck*> HealthcheckOf(Filling& filling) {
  if (filling.has_healthcheck) {
    return absl::InvalidArgumentError("the deployment has a healthcheck already; say it there");
  }
  return filling.spec.mutable_healthcheck();
}

absl::StatusOr<google::protobuf::Duration> ParseTime(const std::string& value) {
  absl::Duration duration;
  if (!absl::ParseDuration(value, &duration) || duration < absl::ZeroDuration() ||
      (duration > absl::ZeroDuration() && duration < absl::Milliseconds(1))) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is not a time; write it like 30s or 1m30s, from 1ms on"));
  }
  return base::ToProto(duration);
}

}  // namespace

Value& PlaceIn(v1::ContainerSpec& spec, const std::vector<std::string>& path) {
  Struct* at = spec.mutable_engine();
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    at = (*at->mutable_fields())[path[i]].mutable_struct_value();
  }
  return (*at->mutable_fields())[path.back()];
}

Value& PlaceIn(v1::ContainerSpec& spec, absl::string_view path) {
  return PlaceIn(spec, std::vector<std::string>(absl::StrSplit(path, '.')));
}

void AddTo(v1::ContainerSpec& spec, absl::string_view path, Value value) {
  *PlaceIn(spec, path).mutable_list_value()->add_values() = std::move(value);
}

absl::Status ReadEnv(const std::string& value, Filling& filling) {
  const std::size_t equals = value.find('=');
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(
        "needs NAME=VALUE: there is no environment of a shell to take it from");
  }
  std::map<std::string, std::string> all;
  for (const std::string& entry : filling.spec.environment()) {
    all[entry.substr(0, entry.find('='))] = entry;
  }
  all[value.substr(0, equals)] = value;
  filling.spec.clear_environment();
  for (auto& [name, entry] : all) filling.spec.add_environment(std::move(entry));
  return absl::OkStatus();
}

absl::Status ReadLabel(const std::string& value, Filling& filling) {
  const std::pair<std::string, std::string> pair = absl::StrSplit(value, absl::MaxSplits('=', 1));
  if (pair.first.empty()) return absl::InvalidArgumentError("has no name");
  if (absl::StartsWith(pair.first, "dev.fairlead.")) {
    return absl::InvalidArgumentError("dev.fairlead.* are labels of Fairlead itself");
  }
  (*filling.spec.mutable_labels())[pair.first] = pair.second;
  return absl::OkStatus();
}

absl::Status ReadPublish(const std::string& value, Filling& filling) {
  std::vector<v1::ContainerSpec::Port> ports(filling.spec.ports().begin(),
                                             filling.spec.ports().end());
  // A lone container port: the engine chooses that of the host.
  RETURN_IF_ERROR(
      AddPorts(absl::StrContains(value, ":") ? value : absl::StrCat("0:", value), &ports),
      absl::StrCat("\"", value, "\""));
  return SetPorts(std::move(ports), &filling.spec);
}

absl::Status ReadVolume(const std::string& value, Filling& filling) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(value, absl::MaxSplits(':', 1));
  if (absl::StrContains(value, ":")) return AddMount(parts.first, parts.second, &filling.spec);
  if (!absl::StartsWith(value, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is not an absolute path in the container"));
  }
  // A volume without a name.
  PlaceIn(filling.spec, std::vector<std::string>{"Volumes", value}).mutable_struct_value();
  return absl::OkStatus();
}

absl::Status ReadExpose(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(const std::vector<std::string> keys, ReadExposed(value));
  for (const std::string& key : keys) {
    PlaceIn(filling.spec, std::vector<std::string>{"ExposedPorts", key}).mutable_struct_value();
  }
  return absl::OkStatus();
}

absl::Status ReadHost(const std::string& value, Filling& filling) {
  // Newer spellings have '=' between the two.
  const std::size_t middle = value.find_first_of(":=");
  if (middle == std::string::npos || middle == 0 || middle + 1 == value.size()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", value, "\" is not NAME:ADDRESS"));
  }
  AddTo(filling.spec, "HostConfig.ExtraHosts",
        TextValue(absl::StrCat(value.substr(0, middle), ":", value.substr(middle + 1))));
  return absl::OkStatus();
}

absl::Status ReadDeviceFlag(const std::string& value, Filling& filling) {
  if (IsCdiDevice(value)) {
    Value request;
    auto& fields = *request.mutable_struct_value()->mutable_fields();
    fields["Driver"] = TextValue("cdi");
    *fields["DeviceIDs"].mutable_list_value()->add_values() = TextValue(value);
    AddTo(filling.spec, "HostConfig.DeviceRequests", std::move(request));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Value device, ReadDevice(value));
  AddTo(filling.spec, "HostConfig.Devices", std::move(device));
  return absl::OkStatus();
}

absl::Status ReadGpusFlag(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Value request, ReadGpus(value));
  AddTo(filling.spec, "HostConfig.DeviceRequests", std::move(request));
  return absl::OkStatus();
}

absl::Status ReadMountFlag(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Value mount, ReadMount(value));
  AddTo(filling.spec, "HostConfig.Mounts", std::move(mount));
  return absl::OkStatus();
}

absl::Status ReadUlimitFlag(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Value limit, ReadUlimit(value));
  AddTo(filling.spec, "HostConfig.Ulimits", std::move(limit));
  return absl::OkStatus();
}

absl::Status ReadTmpfs(const std::string& value, Filling& filling) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(value, absl::MaxSplits(':', 1));
  if (!absl::StartsWith(parts.first, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is not /an/absolute/path[:OPTIONS]"));
  }
  PlaceIn(filling.spec, std::vector<std::string>{"HostConfig", "Tmpfs", parts.first}) =
      TextValue(parts.second);
  return absl::OkStatus();
}

absl::Status ReadCpus(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(const int64_t nano, ParseNanoCpus(value));
  PlaceIn(filling.spec, "HostConfig.NanoCpus") = NumberValue(nano);
  return absl::OkStatus();
}

absl::Status ReadEntrypoint(const std::string& value, Filling& filling) {
  PlaceIn(filling.spec, "Entrypoint").clear_kind();
  AddTo(filling.spec, "Entrypoint", TextValue(value));
  return absl::OkStatus();
}

absl::Status ReadSecurity(const std::string& value, Filling& filling) {
  absl::string_view rest = value;
  if (value == "systempaths=unconfined") {
    PlaceIn(filling.spec, "HostConfig.MaskedPaths").mutable_list_value();
    PlaceIn(filling.spec, "HostConfig.ReadonlyPaths").mutable_list_value();
    return absl::OkStatus();
  }
  if ((absl::ConsumePrefix(&rest, "seccomp=") || absl::ConsumePrefix(&rest, "seccomp:")) &&
      rest != "unconfined" && rest != "builtin" && !absl::StartsWith(rest, "{")) {
    return absl::InvalidArgumentError(
        "docker's command line reads a profile from a file, which the engine does not; give the "
        "profile's JSON itself, or seccomp=unconfined");
  }
  AddTo(filling.spec, "HostConfig.SecurityOpt", TextValue(value));
  return absl::OkStatus();
}

absl::Status ReadReadBps(const std::string& value, Filling& filling) {
  return AddThrottle<true>("HostConfig.BlkioDeviceReadBps", value, filling);
}

absl::Status ReadWriteBps(const std::string& value, Filling& filling) {
  return AddThrottle<true>("HostConfig.BlkioDeviceWriteBps", value, filling);
}

absl::Status ReadReadIops(const std::string& value, Filling& filling) {
  return AddThrottle<false>("HostConfig.BlkioDeviceReadIOps", value, filling);
}

absl::Status ReadWriteIops(const std::string& value, Filling& filling) {
  return AddThrottle<false>("HostConfig.BlkioDeviceWriteIOps", value, filling);
}

absl::Status ReadWeightDevice(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Value device, ReadWeight(value));
  AddTo(filling.spec, "HostConfig.BlkioWeightDevice", std::move(device));
  return absl::OkStatus();
}

absl::Status ReadAlias(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(Struct * endpoint, Endpoint(filling));
  *(*endpoint->mutable_fields())["Aliases"].mutable_list_value()->add_values() = TextValue(value);
  return absl::OkStatus();
}

absl::Status ReadIp(const std::string& value, Filling& filling) {
  return SetAddress("IPv4Address", value, filling);
}

absl::Status ReadIp6(const std::string& value, Filling& filling) {
  return SetAddress("IPv6Address", value, filling);
}

absl::Status ReadHealthCommand(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(v1::ContainerSpec::Healthcheck * check, HealthcheckOf(filling));
  check->set_command(value);
  return absl::OkStatus();
}

absl::Status ReadHealthInterval(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(v1::ContainerSpec::Healthcheck * check, HealthcheckOf(filling));
  ASSIGN_OR_RETURN(*check->mutable_interval(), ParseTime(value));
  return absl::OkStatus();
}

absl::Status ReadHealthTimeout(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(v1::ContainerSpec::Healthcheck * check, HealthcheckOf(filling));
  ASSIGN_OR_RETURN(*check->mutable_timeout(), ParseTime(value));
  return absl::OkStatus();
}

absl::Status ReadHealthStart(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(v1::ContainerSpec::Healthcheck * check, HealthcheckOf(filling));
  ASSIGN_OR_RETURN(*check->mutable_start_period(), ParseTime(value));
  return absl::OkStatus();
}

absl::Status ReadHealthRetries(const std::string& value, Filling& filling) {
  ASSIGN_OR_RETURN(v1::ContainerSpec::Healthcheck * check, HealthcheckOf(filling));
  ASSIGN_OR_RETURN(const int64_t retries, ParseInteger(value));
  if (retries < 0 || retries > 1000) {
    return absl::InvalidArgumentError(absl::StrCat("\"", value, "\" is not a number of retries"));
  }
  check->set_retries(static_cast<uint32_t>(retries));
  return absl::OkStatus();
}

absl::Status ReadNoHealthcheck(const std::string& value, Filling& filling) {
  if (value == "false") return absl::OkStatus();
  RETURN_IF_ERROR(HealthcheckOf(filling).status());
  filling.spec.clear_healthcheck();
  PlaceIn(filling.spec, "Healthcheck.Test").clear_kind();
  AddTo(filling.spec, "Healthcheck.Test", TextValue("NONE"));
  return absl::OkStatus();
}

}  // namespace fairlead::resources
