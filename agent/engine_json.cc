#include "agent/engine_json.h"

#include <algorithm>
#include <optional>
#include <set>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

#include "agent/engine_overlay.h"
#include "agent/probe_schedule.h"
#include "base/proto_time.h"
#include "resources/host_ports.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

json::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

std::string ToText(const json::value& value) {
  return value.is_string() ? std::string(value.as_string().c_str()) : std::string();
}

v1::ContainerState StateOf(absl::string_view text) {
  static const std::map<std::string, v1::ContainerState> states = {
      {"created", v1::CONTAINER_STATE_CREATED},    {"running", v1::CONTAINER_STATE_RUNNING},
      {"paused", v1::CONTAINER_STATE_PAUSED},      {"restarting", v1::CONTAINER_STATE_RESTARTING},
      {"removing", v1::CONTAINER_STATE_REMOVING},  {"exited", v1::CONTAINER_STATE_EXITED},
      {"stopped", v1::CONTAINER_STATE_EXITED},     {"dead", v1::CONTAINER_STATE_DEAD},
      {"configured", v1::CONTAINER_STATE_CREATED}, {"stopping", v1::CONTAINER_STATE_RUNNING},
      {"initialized", v1::CONTAINER_STATE_CREATED}};
  const auto found = states.find(std::string(text));
  return found == states.end() ? v1::CONTAINER_STATE_UNSPECIFIED : found->second;
}

v1::ContainerHealth HealthOf(absl::string_view text) {
  if (text == "starting") return v1::CONTAINER_HEALTH_STARTING;
  if (text == "healthy") return v1::CONTAINER_HEALTH_HEALTHY;
  if (text == "unhealthy") return v1::CONTAINER_HEALTH_UNHEALTHY;
  return v1::CONTAINER_HEALTH_NONE;
}

// Nothing for the engine's zero time.
std::optional<google::protobuf::Timestamp> TimeOf(const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return std::nullopt;
  if (time <= absl::UnixEpoch()) return std::nullopt;
  return base::ToProto(time);
}

void SetLabels(const json::object* labels, v1::Container& container) {
  if (labels == nullptr) return;
  container.set_installation(TextAt(*labels, {kInstallationLabel}));
  // What `compose run` makes has the service's labels and is none of its containers.
  const bool is_oneoff = TextAt(*labels, {kComposeOneoffLabel}) == "True";
  if (!is_oneoff) container.set_resource(TextAt(*labels, {kResourceLabel}));
  container.set_spec_hash(TextAt(*labels, {kSpecHashLabel}));
  container.set_action(TextAt(*labels, {kActionLabel}));
  container.set_compose_project(TextAt(*labels, {kComposeProjectLabel}));
  container.set_compose_service(TextAt(*labels, {kComposeServiceLabel}));
}

std::string PortText(absl::string_view address, absl::string_view port,
                     absl::string_view protocol) {
  return resources::IsAnyAddress(address) ? absl::StrCat(port, "/", protocol)
                                          : absl::StrCat(address, ":", port, "/", protocol);
}

void SetPorts(const std::set<std::string>& ports, v1::Container& container) {
  for (const std::string& port : ports) container.add_host_ports(port);
}

std::set<std::string> PortsOf(const json::object* bindings) {
  std::set<std::string> ports;
  if (bindings == nullptr) return ports;
  for (const auto& [key, value] : *bindings) {
    if (!value.is_array()) continue;
    const absl::string_view port(key.data(), key.size());
    const std::size_t slash = port.find('/');
    const absl::string_view protocol =
        slash == absl::string_view::npos ? "tcp" : port.substr(slash + 1);
    for (const json::value& binding : value.as_array()) {
      if (!binding.is_object()) continue;
      const std::string host_port = TextAt(binding.as_object(), {"HostPort"});
      if (host_port.empty() || host_port == "0") continue;
      ports.insert(PortText(TextAt(binding.as_object(), {"HostIp"}), host_port, protocol));
    }
  }
  return ports;
}

std::string BindText(const v1::ContainerSpec::Mount& mount) {
  return absl::StrCat(mount.source(), ":", mount.target(), mount.options().empty() ? "" : ":",
                      mount.options());
}

// "source:target[:options]" of binds in their short and their long form.
std::set<std::string> MountTexts(const json::object& inspect) {
  std::set<std::string> texts;
  for (const std::string& bind : TextsAt(inspect, {"HostConfig", "Binds"})) {
    texts.emplace(absl::StripSuffix(bind, ":rw"));
  }
  const json::array* mounts = ArrayAt(inspect, {"HostConfig", "Mounts"});
  if (mounts == nullptr) return texts;
  for (const json::value& mount : *mounts) {
    if (!mount.is_object()) continue;
    const json::object& object = mount.as_object();
    texts.insert(absl::StrCat(TextAt(object, {"Source"}), ":", TextAt(object, {"Target"}),
                              FlagAt(object, {"ReadOnly"}) ? ":ro" : ""));
  }
  return texts;
}

std::string ContainerPortText(const v1::ContainerSpec::Port& port) {
  return absl::StrCat(port.container_port(), "/",
                      port.protocol().empty() ? "tcp" : port.protocol());
}

// What is left out is taken from the image, then from the engine.
json::object ToHealthcheck(const v1::ContainerSpec::Healthcheck& check) {
  json::object body;
  // The agent asks instead: the image's own check would be a second opinion.
  if (check.has_probe()) return {{"Test", json::array({"NONE"})}};
  if (!check.command().empty()) body["Test"] = json::array({"CMD-SHELL", check.command()});
  const auto set = [&body](absl::string_view key, const google::protobuf::Duration& duration) {
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(base::FromProto(duration));
    if (nanoseconds > 0) body[View(key)] = nanoseconds;
  };
  set("Interval", check.interval());
  set("Timeout", check.timeout());
  set("StartPeriod", check.start_period());
  if (check.retries() > 0) body["Retries"] = check.retries();
  return body;
}

json::object BindingsOf(const v1::ContainerSpec& spec) {
  json::object bindings;
  for (const auto& port : spec.ports()) {
    json::value& list = bindings[ContainerPortText(port)];
    if (!list.is_array()) list = json::array();
    list.as_array().push_back(
        {{"HostIp", port.host_ip()},
         {"HostPort", port.host_port() == 0 ? "" : absl::StrCat(port.host_port())}});
  }
  return bindings;
}

// "8080->80/tcp" for every binding.
std::set<std::string> Publications(const json::object* bindings) {
  std::set<std::string> all;
  if (bindings == nullptr) return all;
  for (const auto& [key, value] : *bindings) {
    if (!value.is_array()) continue;
    for (const json::value& binding : value.as_array()) {
      if (!binding.is_object()) continue;
      const std::string address = TextAt(binding.as_object(), {"HostIp"});
      all.insert(absl::StrCat(resources::IsAnyAddress(address) ? "" : absl::StrCat(address, ":"),
                              TextAt(binding.as_object(), {"HostPort"}), "->",
                              absl::string_view(key.data(), key.size())));
    }
  }
  return all;
}

std::string NetworkName(absl::string_view network) {
  return network.empty() || network == "default" ? "bridge" : std::string(network);
}

std::string PolicyName(absl::string_view policy) {
  return policy.empty() ? "no" : std::string(policy);
}

}  // namespace

const json::value* ValueAt(const json::object& object, JsonPath path) {
  const json::object* at = &object;
  const json::value* found = nullptr;
  for (const absl::string_view key : path) {
    if (at == nullptr) return nullptr;
    found = at->if_contains(View(key));
    if (found == nullptr) return nullptr;
    at = found->if_object();
  }
  return found;
}

std::string TextAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  return value == nullptr ? std::string() : ToText(*value);
}

int64_t NumberAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->as_int64();
  if (value->is_uint64()) return static_cast<int64_t>(value->as_uint64());
  if (value->is_double()) return static_cast<int64_t>(value->as_double());
  return 0;
}

bool FlagAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  return value != nullptr && value->is_bool() && value->as_bool();
}

const json::object* ObjectAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* ArrayAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  return value == nullptr ? nullptr : value->if_array();
}

std::vector<std::string> TextsAt(const json::object& object, JsonPath path) {
  std::vector<std::string> texts;
  const json::array* array = ArrayAt(object, path);
  if (array == nullptr) return texts;
  for (const json::value& value : *array) texts.push_back(ToText(value));
  return texts;
}

v1::EngineVersion ToEngineVersion(const json::object& version) {
  v1::EngineVersion result;
  result.set_name("docker");
  if (const json::array* components = ArrayAt(version, {"Components"}); components != nullptr) {
    for (const json::value& component : *components) {
      if (component.is_object() &&
          absl::StrContains(TextAt(component.as_object(), {"Name"}), "Podman")) {
        result.set_name("podman");
      }
    }
  }
  result.set_version(TextAt(version, {"Version"}));
  result.set_api_version(TextAt(version, {"ApiVersion"}));
  result.set_architecture(TextAt(version, {"Arch"}));
  result.set_os(TextAt(version, {"Os"}));
  return result;
}

v1::Container ToContainer(const json::object& inspect) {
  v1::Container container;
  container.set_id(TextAt(inspect, {"Id"}));
  const std::string name = TextAt(inspect, {"Name"});
  container.set_name(absl::StartsWith(name, "/") ? name.substr(1) : name);
  container.set_image(TextAt(inspect, {"Config", "Image"}));
  container.set_image_id(TextAt(inspect, {"Image"}));
  container.set_state(StateOf(TextAt(inspect, {"State", "Status"})));
  container.set_health(HealthOf(TextAt(inspect, {"State", "Health", "Status"})));
  container.set_exit_code(static_cast<int32_t>(NumberAt(inspect, {"State", "ExitCode"})));
  container.set_oom_killed(FlagAt(inspect, {"State", "OOMKilled"}));
  if (const auto time = TimeOf(TextAt(inspect, {"Created"}))) {
    *container.mutable_created_at() = *time;
  }
  if (const auto time = TimeOf(TextAt(inspect, {"State", "StartedAt"}))) {
    *container.mutable_started_at() = *time;
  }
  if (const auto time = TimeOf(TextAt(inspect, {"State", "FinishedAt"}))) {
    *container.mutable_finished_at() = *time;
  }
  container.set_restart_count(static_cast<int32_t>(NumberAt(inspect, {"RestartCount"})));
  SetLabels(ObjectAt(inspect, {"Config", "Labels"}), container);
  container.set_restart_policy(
      PolicyName(TextAt(inspect, {"HostConfig", "RestartPolicy", "Name"})));
  SetPorts(PortsOf(ObjectAt(inspect, {"NetworkSettings", "Ports"})), container);
  return container;
}

v1::Container ToBriefContainer(const json::object& listed) {
  v1::Container container;
  container.set_id(TextAt(listed, {"Id"}));
  for (const std::string& name : TextsAt(listed, {"Names"})) {
    // A name with a second slash is a link of another container.
    if (container.name().empty() || name.rfind('/') == 0) {
      container.set_name(absl::StartsWith(name, "/") ? name.substr(1) : name);
    }
  }
  container.set_image(TextAt(listed, {"Image"}));
  container.set_image_id(TextAt(listed, {"ImageID"}));
  container.set_state(StateOf(TextAt(listed, {"State"})));
  SetLabels(ObjectAt(listed, {"Labels"}), container);
  std::set<std::string> ports;
  if (const json::array* list = ArrayAt(listed, {"Ports"}); list != nullptr) {
    for (const json::value& port : *list) {
      if (!port.is_object()) continue;
      const int64_t number = NumberAt(port.as_object(), {"PublicPort"});
      if (number == 0) continue;
      ports.insert(PortText(TextAt(port.as_object(), {"IP"}), absl::StrCat(number),
                            TextAt(port.as_object(), {"Type"})));
    }
  }
  SetPorts(ports, container);
  return container;
}

std::string AddressOf(const json::object& inspect) {
  const std::string mode = NetworkName(TextAt(inspect, {"HostConfig", "NetworkMode"}));
  if (mode == "host") return "127.0.0.1";
  const json::object* networks = ObjectAt(inspect, {"NetworkSettings", "Networks"});
  if (networks == nullptr) return "";
  // The network it was made in first, then the others by name.
  std::vector<std::string> names = {mode};
  for (const auto& [name, endpoint] : *networks) names.emplace_back(name.data(), name.size());
  std::sort(names.begin() + 1, names.end());
  for (const char* field : {"IPAddress", "GlobalIPv6Address"}) {
    for (const std::string& name : names) {
      std::string address = TextAt(*networks, {name, field});
      if (!address.empty()) return address;
    }
  }
  return "";
}

std::map<std::string, std::string> OwnLabels(const std::string& installation,
                                             const std::string& resource,
                                             const std::string& spec_hash,
                                             const std::string& action) {
  return {{kInstallationLabel, installation},
          {kResourceLabel, resource},
          {kSpecHashLabel, spec_hash},
          {kActionLabel, action}};
}

json::object ToCreateBody(const v1::ContainerSpec& spec,
                          const std::map<std::string, std::string>& own_labels) {
  json::object labels;
  for (const auto& [key, value] : spec.labels()) labels[key] = value;
  for (const auto& [key, value] : own_labels) labels[key] = value;
  if (spec.healthcheck().has_probe()) labels[kProbeLabel] = ProbeText(spec.healthcheck());
  json::object exposed;
  for (const auto& port : spec.ports()) exposed[ContainerPortText(port)] = json::object();
  json::array binds;
  for (const auto& mount : spec.mounts()) binds.emplace_back(BindText(mount));
  json::object host = {{"Binds", std::move(binds)},
                       {"PortBindings", BindingsOf(spec)},
                       {"RestartPolicy", {{"Name", PolicyName(spec.restart_policy())}}},
                       {"NetworkMode", NetworkName(spec.network())}};
  json::array environment;
  for (const std::string& entry : spec.environment()) environment.emplace_back(entry);
  json::object body = {{"Image", spec.image()},
                       {"Env", std::move(environment)},
                       {"Labels", std::move(labels)},
                       {"ExposedPorts", std::move(exposed)},
                       {"HostConfig", std::move(host)}};
  if (spec.command_size() > 0) {
    json::array command;
    for (const std::string& word : spec.command()) command.emplace_back(word);
    body["Cmd"] = std::move(command);
  }
  if (!spec.stop_signal().empty()) body["StopSignal"] = spec.stop_signal();
  if (spec.stop_timeout_seconds() > 0) body["StopTimeout"] = spec.stop_timeout_seconds();
  if (spec.has_healthcheck()) body["Healthcheck"] = ToHealthcheck(spec.healthcheck());
  if (spec.has_engine()) LayOver(ToJson(spec.engine()), body);
  // By which the container is known: nothing is laid over them.
  if (json::value* all = body.if_contains("Labels"); all != nullptr && all->is_object()) {
    for (const auto& [key, value] : own_labels) all->get_object()[key] = value;
  }
  return body;
}

std::vector<std::string> ComputeDifferences(const v1::ContainerSpec& spec,
                                            const json::object& inspect) {
  std::vector<std::string> differences;
  const auto compare = [&](absl::string_view what, const std::string& wanted,
                           const std::string& found) {
    if (wanted != found) differences.push_back(absl::StrCat(what, ": ", found, ", not ", wanted));
  };
  compare("image", spec.image(), TextAt(inspect, {"Config", "Image"}));
  compare("network", NetworkName(spec.network()),
          NetworkName(TextAt(inspect, {"HostConfig", "NetworkMode"})));
  compare("restart", PolicyName(spec.restart_policy()),
          PolicyName(TextAt(inspect, {"HostConfig", "RestartPolicy", "Name"})));
  if (spec.command_size() > 0) {
    const std::vector<std::string> wanted(spec.command().begin(), spec.command().end());
    if (wanted != TextsAt(inspect, {"Config", "Cmd"})) differences.push_back("command");
  }
  const std::vector<std::string> environment = TextsAt(inspect, {"Config", "Env"});
  for (const std::string& entry : spec.environment()) {
    if (std::find(environment.begin(), environment.end(), entry) == environment.end()) {
      differences.push_back(absl::StrCat("environment.", entry.substr(0, entry.find('='))));
    }
  }
  const json::object wanted_bindings = BindingsOf(spec);
  if (Publications(&wanted_bindings) !=
      Publications(ObjectAt(inspect, {"HostConfig", "PortBindings"}))) {
    differences.push_back("ports");
  }
  const json::object overlay = ToJson(spec.engine());
  std::set<std::string> wanted_mounts = MountTexts(overlay);
  for (const auto& mount : spec.mounts()) {
    wanted_mounts.emplace(absl::StripSuffix(BindText(mount), ":rw"));
  }
  if (wanted_mounts != MountTexts(inspect)) differences.emplace_back("volumes");
  for (const auto& [key, value] :
       std::map<std::string, std::string>(spec.labels().begin(), spec.labels().end())) {
    if (TextAt(inspect, {"Config", "Labels", key}) != value) {
      differences.push_back(absl::StrCat("labels.", key));
    }
  }
  if (spec.has_healthcheck() && !spec.healthcheck().has_probe()) {
    const json::object wanted = ToHealthcheck(spec.healthcheck());
    const json::object* found = ObjectAt(inspect, {"Config", "Healthcheck"});
    const bool same =
        found != nullptr && std::all_of(wanted.begin(), wanted.end(), [&](auto& item) {
          const json::value* value = found->if_contains(item.key());
          return value != nullptr && *value == item.value();
        });
    if (!same) differences.emplace_back("healthcheck");
  }
  for (const std::string& member : OverlayDifferences(overlay, inspect)) {
    differences.push_back(absl::StrCat("engine.", member));
  }
  return differences;
}

}  // namespace fairlead::agent
