#include "resources/container_spec.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "resources/field_table.h"
#include "resources/health_probe.h"
#include "resources/interpolation.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/shell_words.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Message;

bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) != 0; }

// Each character outside `more`, letters and digits becomes '_'; what stands before the first
// letter or digit is dropped.
std::string DerivedName(absl::string_view name, absl::string_view more) {
  std::string out;
  for (const char c : name) {
    // A character of several bytes becomes one '_'.
    if ((static_cast<unsigned char>(c) & 0xC0u) == 0x80u) continue;
    const bool kept = IsAlnum(c) || more.find(c) != absl::string_view::npos;
    if (out.empty() && !IsAlnum(c)) continue;
    out += kept ? c : '_';
  }
  return out;
}

// The engine's rule for containers and volumes: two characters at least.
bool IsDockerName(absl::string_view name) {
  return name.size() > 1 && IsAlnum(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

// Compose's rule for projects.
bool IsProjectName(absl::string_view name) {
  return !name.empty() && IsAlnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '-';
         });
}

absl::StatusOr<std::map<std::string, std::string>> ParseMap(const std::string& text) {
  ASSIGN_OR_RETURN(const auto pairs, ParseKeyValues(text));
  std::map<std::string, std::string> map;
  for (const auto& [key, value] : pairs) {
    if (IsPlaceholder(key) && value.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("no variable for ", key));
    }
    if (key.empty()) return absl::InvalidArgumentError("a line has no name");
    map[key] = value;
  }
  return map;
}

// ---- ports ----

// As many as a protocol has.
constexpr std::size_t kMostPorts = 65536;

struct PortRange {
  uint32_t first = 0;
  uint32_t last = 0;
};

absl::StatusOr<PortRange> ParseRange(absl::string_view text, uint32_t smallest) {
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(text, absl::MaxSplits('-', 1));
  const bool is_range = absl::StrContains(text, '-');
  PortRange range;
  if (!absl::SimpleAtoi(ends.first, &range.first) ||
      !absl::SimpleAtoi(is_range ? ends.second : ends.first, &range.last) ||
      range.first < smallest || range.last > 65535 || range.first > range.last) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a port or port range"));
  }
  return range;
}

bool IsAddress(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// Takes "ip:" or "[ip]:" off `text`.
absl::StatusOr<std::string> TakeAddress(absl::string_view* text) {
  const std::size_t colon = text->rfind(':');
  if (colon == absl::string_view::npos) return std::string();
  absl::string_view address = text->substr(0, colon);
  text->remove_prefix(colon + 1);
  if (absl::ConsumePrefix(&address, "[")) absl::ConsumeSuffix(&address, "]");
  std::string out(address);
  if (!IsAddress(out)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", out, "\" is not an IP address"));
  }
  return out;
}

// "[ip:]host:container[/protocol]", both sides also as ranges of equal length.
absl::Status AddPorts(absl::string_view text, std::vector<v1::ContainerSpec::Port>* ports) {
  std::string protocol = "tcp";
  const std::size_t slash = text.find('/');
  if (slash != absl::string_view::npos) {
    protocol = absl::AsciiStrToLower(text.substr(slash + 1));
    text = text.substr(0, slash);
  }
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return absl::InvalidArgumentError(absl::StrCat("\"", protocol, "\" is not tcp, udp or sctp"));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError("expected host:container");
  }
  ASSIGN_OR_RETURN(const PortRange container,
                   ParseRange(absl::StripAsciiWhitespace(text.substr(colon + 1)), 1));
  absl::string_view host_text = text.substr(0, colon);
  ASSIGN_OR_RETURN(const std::string address, TakeAddress(&host_text));
  PortRange host;
  // "ip::80" lets the engine choose the host port.
  if (!(host_text.empty() && !address.empty())) {
    ASSIGN_OR_RETURN(host, ParseRange(absl::StripAsciiWhitespace(host_text), 0));
  }
  const bool chosen = host.last == 0;
  if (!chosen && host.last - host.first != container.last - container.first) {
    return absl::InvalidArgumentError("the ranges differ in length");
  }
  for (uint32_t i = 0; i <= container.last - container.first; ++i) {
    v1::ContainerSpec::Port& port = ports->emplace_back();
    port.set_host_ip(address);
    port.set_host_port(chosen ? 0 : host.first + i);
    port.set_container_port(container.first + i);
    port.set_protocol(protocol);
  }
  return absl::OkStatus();
}

auto PortKey(const v1::ContainerSpec::Port& port) {
  return std::tie(port.host_ip(), port.protocol());
}

bool PortBefore(const v1::ContainerSpec::Port& a, const v1::ContainerSpec::Port& b) {
  return std::make_tuple(a.container_port(), a.host_port(), PortKey(a)) <
         std::make_tuple(b.container_port(), b.host_port(), PortKey(b));
}

bool SamePort(const v1::ContainerSpec::Port& a, const v1::ContainerSpec::Port& b) {
  return !PortBefore(a, b) && !PortBefore(b, a);
}

absl::Status SetPorts(const std::string& text, v1::ContainerSpec* spec) {
  ASSIGN_OR_RETURN(const auto pairs, ParseKeyValues(text));
  std::vector<v1::ContainerSpec::Port> ports;
  for (const auto& [local, container] : pairs) {
    const std::string joined = absl::StrCat(local, ":", container);
    RETURN_IF_ERROR(AddPorts(joined, &ports), absl::StrCat("\"", joined, "\""));
    if (ports.size() > kMostPorts) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kMostPorts, " ports"));
    }
  }
  std::sort(ports.begin(), ports.end(), PortBefore);
  ports.erase(std::unique(ports.begin(), ports.end(), SamePort), ports.end());
  spec->mutable_ports()->Assign(ports.begin(), ports.end());
  return absl::OkStatus();
}

// ---- mounts ----

absl::Status AddMount(const std::string& source, const std::string& rest, v1::ContainerSpec* spec) {
  if (!absl::StartsWith(source, "/") && !IsDockerName(source)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", source, "\" is neither an absolute path on the host nor the name of a volume"));
  }
  const std::pair<std::string, std::string> parts = absl::StrSplit(rest, absl::MaxSplits(':', 1));
  if (!absl::StartsWith(parts.first, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", parts.first, "\" is not an absolute path in the container"));
  }
  v1::ContainerSpec::Mount* mount = spec->add_mounts();
  mount->set_source(source);
  mount->set_target(parts.first);
  mount->set_options(parts.second);
  return absl::OkStatus();
}

absl::Status SetMounts(const std::string& text, v1::ContainerSpec* spec) {
  ASSIGN_OR_RETURN(auto pairs, ParseKeyValues(text));
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  for (const auto& [source, rest] : pairs) RETURN_IF_ERROR(AddMount(source, rest, spec));
  return absl::OkStatus();
}

// ---- the rest ----

absl::Status SetName(const v1::Resource& resource, v1::ContainerSpec* spec) {
  if (const auto fault = FindNameFault(resource)) {
    return absl::InvalidArgumentError(absl::StrCat(fault->message, "; ", fault->suggestion));
  }
  spec->set_name(DockerNameOf(resource));
  if (IsDockerName(spec->name())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("custom_name: \"", spec->name(), "\" is not a container name"));
}

absl::Status SetImage(const v1::DeploymentImage& image, v1::ContainerSpec* spec) {
  if (image.has_build()) {
    if (image.build().build_id().empty()) {
      return absl::InvalidArgumentError("image: names no build");
    }
    // The plan fills it in once it is built.
    return absl::OkStatus();
  }
  const absl::string_view name = absl::StripAsciiWhitespace(image.image().image());
  if (name.empty()) return absl::InvalidArgumentError("image: is empty");
  spec->set_image(std::string(name));
  return absl::OkStatus();
}

std::string EnumTextOf(const v1::Deployment& deployment, const char* key) {
  const Field* field = FieldsOf(v1::Deployment::descriptor()).Find(key);
  return field->TextOf(deployment.GetReflection()->GetEnumValue(deployment, field->descriptor));
}

void AddReason(const std::string& reason, std::vector<std::string>* reasons) {
  const bool known = std::find(reasons->begin(), reasons->end(), reason) != reasons->end();
  if (!reason.empty() && !known) reasons->push_back(reason);
}

void AddNotYet(const Message& message, std::vector<std::string>* reasons) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    const bool repeated = field.descriptor->is_repeated();
    const int count = repeated ? reflection->FieldSize(message, field.descriptor)
                               : reflection->HasField(message, field.descriptor);
    if (count == 0) continue;
    AddReason(field.rule->not_yet(), reasons);
    if (!field.values.empty() && !repeated) {
      const EnumText* value = field.ValueOf(reflection->GetEnumValue(message, field.descriptor));
      if (value != nullptr) AddReason(value->rule->not_yet(), reasons);
    }
    if (field.message == nullptr) continue;
    for (int i = 0; i < count; ++i) {
      AddNotYet(repeated ? reflection->GetRepeatedMessage(message, field.descriptor, i)
                         : reflection->GetMessage(message, field.descriptor),
                reasons);
    }
  }
}

absl::Status SetProbe(const v1::Healthcheck& declared, v1::ContainerSpec* spec) {
  if (declared.http().empty() && declared.tcp().empty()) return absl::OkStatus();
  const int given = (declared.command().empty() ? 0 : 1) + (declared.http().empty() ? 0 : 1) +
                    (declared.tcp().empty() ? 0 : 1);
  if (given > 1) return absl::InvalidArgumentError("give one of command, http and tcp");
  const absl::string_view key = declared.http().empty() ? "tcp" : "http";
  if (!CanProbe(spec->network())) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": a container in network \"", spec->network(),
                     "\" has no address that the agent could ask; use command"));
  }
  ASSIGN_OR_RETURN(
      *spec->mutable_healthcheck()->mutable_probe(),
      declared.http().empty() ? ParseTcpProbe(declared.tcp()) : ParseHttpProbe(declared.http()),
      key);
  return absl::OkStatus();
}

absl::Status SetHealthcheck(const v1::Healthcheck& declared, v1::ContainerSpec* spec) {
  for (const auto* duration :
       {&declared.interval(), &declared.timeout(), &declared.start_period()}) {
    const absl::Duration value = base::FromProto(*duration);
    if (value > absl::ZeroDuration() && value < absl::Milliseconds(1)) {
      return absl::InvalidArgumentError("a time is shorter than 1ms");
    }
  }
  v1::ContainerSpec::Healthcheck* check = spec->mutable_healthcheck();
  check->set_command(declared.command());
  if (declared.has_interval()) *check->mutable_interval() = declared.interval();
  if (declared.has_timeout()) *check->mutable_timeout() = declared.timeout();
  check->set_retries(declared.retries());
  if (declared.has_start_period()) *check->mutable_start_period() = declared.start_period();
  return SetProbe(declared, spec);
}

}  // namespace

std::string DockerNameOf(const v1::Resource& resource) {
  if (resource.has_deployment()) {
    const std::string& custom = resource.deployment().custom_name();
    return custom.empty() ? DerivedName(resource.name(), "_.-") : custom;
  }
  if (resource.has_stack()) {
    const std::string& project = resource.stack().project_name();
    return project.empty() ? DerivedName(absl::AsciiStrToLower(resource.name()), "_-") : project;
  }
  return "";
}

std::optional<NameFault> FindNameFault(const v1::Resource& resource) {
  const bool stack = resource.has_stack();
  if (!stack && !resource.has_deployment()) return std::nullopt;
  const std::string name = DockerNameOf(resource);
  const std::string& given =
      stack ? resource.stack().project_name() : resource.deployment().custom_name();
  if (stack ? IsProjectName(name) : IsDockerName(name)) return std::nullopt;
  if (absl::StrContains(given, "[[")) return std::nullopt;
  const absl::string_view key = stack ? "project_name" : "custom_name";
  const absl::string_view what = stack ? "compose project" : "container";
  const absl::string_view rule = stack ? "lower-case letters, digits, \"_\" and \"-\", "
                                         "a letter or digit first"
                                       : "two or more letters, digits, \"_\", \".\" and \"-\", "
                                         "a letter or digit first";
  NameFault fault;
  fault.message = given.empty() ? absl::StrCat("no ", what, " can be named after \"",
                                               resource.name(), "\": the engine wants ", rule)
                                : absl::StrCat(key, " \"", given, "\" is no name of a ", what,
                                               ": the engine wants ", rule);
  fault.suggestion = given.empty() ? absl::StrCat("set ", key, " = \"...\"")
                                   : absl::StrCat("choose another ", key);
  return fault;
}

std::vector<v1::ContainerSpec::Port> ReadablePorts(const std::string& text) {
  std::vector<v1::ContainerSpec::Port> ports;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const auto pairs = ParseKeyValues(line);
    if (!pairs.ok() || pairs->empty() || ports.size() > kMostPorts) continue;
    // What cannot be read is another check's to say.
    AddPorts(absl::StrCat(pairs->front().first, ":", pairs->front().second), &ports).IgnoreError();
  }
  return ports;
}

absl::StatusOr<v1::ContainerSpec> ContainerSpecOf(const v1::Resource& resource) {
  const v1::Deployment& deployment = resource.deployment();
  v1::ContainerSpec spec;
  RETURN_IF_ERROR(SetName(resource, &spec));
  RETURN_IF_ERROR(SetImage(deployment.image(), &spec));
  ASSIGN_OR_RETURN(const auto command, SplitShellWords(deployment.command()), "command");
  spec.mutable_command()->Assign(command.begin(), command.end());
  ASSIGN_OR_RETURN(const auto environment, ParseMap(deployment.environment()), "environment");
  for (const auto& [key, value] : environment) {
    spec.add_environment(absl::StrCat(key, "=", value));
  }
  ASSIGN_OR_RETURN(const auto labels, ParseMap(deployment.labels()), "labels");
  spec.mutable_labels()->insert(labels.begin(), labels.end());
  RETURN_IF_ERROR(SetPorts(deployment.ports(), &spec), "ports");
  RETURN_IF_ERROR(SetMounts(deployment.volumes(), &spec), "volumes");
  spec.set_network(deployment.network());
  spec.set_restart_policy(EnumTextOf(deployment, "restart"));
  spec.set_stop_signal(EnumTextOf(deployment, "termination_signal"));
  if (deployment.termination_timeout() < 0) {
    return absl::InvalidArgumentError("termination_timeout: is negative");
  }
  spec.set_stop_timeout_seconds(deployment.termination_timeout());
  if (deployment.has_healthcheck()) {
    RETURN_IF_ERROR(SetHealthcheck(deployment.healthcheck(), &spec), "healthcheck");
  }
  return spec;
}

std::string NotYetReason(const v1::Resource& resource) {
  std::vector<std::string> reasons;
  if (KindOf(resource) != nullptr) AddNotYet(SpecOf(resource), &reasons);
  return absl::StrJoin(reasons, ", ");
}

std::string NotYetPartsOf(const google::protobuf::Message& message) {
  std::vector<std::string> reasons;
  AddNotYet(message, &reasons);
  return absl::StrJoin(reasons, ", ");
}

}  // namespace fairlead::resources
