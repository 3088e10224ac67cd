#include "resources/container_spec.h"

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
#include "resources/host_bindings.h"
#include "resources/interpolation.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/run_flags.h"
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

absl::Status ReadPorts(const std::string& text, v1::ContainerSpec* spec) {
  ASSIGN_OR_RETURN(const auto pairs, ParseKeyValues(text));
  std::vector<v1::ContainerSpec::Port> ports;
  for (const auto& [local, container] : pairs) {
    const std::string joined = absl::StrCat(local, ":", container);
    RETURN_IF_ERROR(AddPorts(joined, &ports), absl::StrCat("\"", joined, "\""));
    if (ports.size() > kMostPorts) break;
  }
  return SetPorts(std::move(ports), spec);
}

// ---- mounts ----

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

std::vector<v1::ContainerSpec::Port> ReadablePortsOf(const v1::Deployment& deployment) {
  std::vector<v1::ContainerSpec::Port> ports = ReadablePorts(deployment.ports());
  if (deployment.extra_args().empty()) return ports;
  v1::ContainerSpec flagged;
  flagged.set_network(deployment.network());
  // As above: what is read before the first fault.
  ApplyRunFlags(deployment.extra_args(), &flagged).IgnoreError();
  ports.insert(ports.end(), flagged.ports().begin(), flagged.ports().end());
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
  RETURN_IF_ERROR(ReadPorts(deployment.ports(), &spec), "ports");
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
  RETURN_IF_ERROR(ApplyRunFlags(deployment.extra_args(), &spec), "extra_args");
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
