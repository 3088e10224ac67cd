#include "resources/run_values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "resources/host_bindings.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

// Larger whole numbers a double of a Struct cannot hold exactly.
constexpr int64_t kLargestNumber = int64_t{1} << 53;

absl::Status Wrong(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" ", what));
}

Value StructValue(Struct fields) {
  Value value;
  *value.mutable_struct_value() = std::move(fields);
  return value;
}

Value ListOf(const std::vector<std::string>& texts) {
  Value value;
  value.mutable_list_value();
  for (const std::string& text : texts) *value.mutable_list_value()->add_values() = TextValue(text);
  return value;
}

struct Pair {
  std::string key;
  // Absent without '='.
  std::optional<std::string> value;
};

Pair SplitPair(const std::string& field) {
  const std::size_t equals = field.find('=');
  if (equals == std::string::npos) return {field, std::nullopt};
  return {field.substr(0, equals), field.substr(equals + 1)};
}

// ---- mounts ----

// One field of a --mount that is not one of type, source and target.
struct MountField {
  enum class Form { kSwitch, kText, kBytes, kOctal, kPair };
  absl::string_view key;
  // Of the mount types it goes with; empty is all.
  absl::string_view type;
  // Within the mount, separated by dots.
  absl::string_view target;
  Form form;
};

constexpr MountField kMountFields[] = {
    {"readonly", "", "ReadOnly", MountField::Form::kSwitch},
    {"ro", "", "ReadOnly", MountField::Form::kSwitch},
    {"consistency", "", "Consistency", MountField::Form::kText},
    {"bind-propagation", "bind", "BindOptions.Propagation", MountField::Form::kText},
    {"bind-nonrecursive", "bind", "BindOptions.NonRecursive", MountField::Form::kSwitch},
    {"volume-nocopy", "volume", "VolumeOptions.NoCopy", MountField::Form::kSwitch},
    {"volume-label", "volume", "VolumeOptions.Labels", MountField::Form::kPair},
    {"volume-driver", "volume", "VolumeOptions.DriverConfig.Name", MountField::Form::kText},
    {"volume-opt", "volume", "VolumeOptions.DriverConfig.Options", MountField::Form::kPair},
    {"volume-subpath", "volume", "VolumeOptions.Subpath", MountField::Form::kText},
    {"tmpfs-size", "tmpfs", "TmpfsOptions.SizeBytes", MountField::Form::kBytes},
    {"tmpfs-mode", "tmpfs", "TmpfsOptions.Mode", MountField::Form::kOctal},
};

// The place in `root` that `path` names, made when it is not there.
Value& PlaceIn(Struct& root, absl::string_view path) {
  Struct* at = &root;
  const std::vector<std::string> keys = absl::StrSplit(path, '.');
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    at = (*at->mutable_fields())[keys[i]].mutable_struct_value();
  }
  return (*at->mutable_fields())[keys.back()];
}

absl::Status SetMountField(const MountField& field, const Pair& pair, Struct& mount) {
  Value& place = PlaceIn(mount, field.target);
  const std::string text = pair.value.value_or("");
  if (field.form == MountField::Form::kSwitch) {
    ASSIGN_OR_RETURN(const bool on, ParseSwitch(pair.value.value_or("true")));
    place = SwitchValue(on);
    return absl::OkStatus();
  }
  if (text.empty()) return absl::InvalidArgumentError("needs a value");
  if (field.form == MountField::Form::kBytes) {
    ASSIGN_OR_RETURN(const int64_t bytes, ParseBytes(text));
    place = NumberValue(bytes);
  } else if (field.form == MountField::Form::kOctal) {
    int mode = 0;
    for (const char c : text) {
      if (c < '0' || c > '7' || mode > 07777) return Wrong(text, "is not an octal file mode");
      mode = mode * 8 + (c - '0');
    }
    place = NumberValue(mode);
  } else if (field.form == MountField::Form::kPair) {
    const Pair entry = SplitPair(text);
    (*place.mutable_struct_value()->mutable_fields())[entry.key] =
        TextValue(entry.value.value_or(""));
  } else {
    place = TextValue(text);
  }
  return absl::OkStatus();
}

absl::Status CheckMount(const std::string& type, const std::string& source,
                        const std::string& target) {
  if (type != "bind" && type != "volume" && type != "tmpfs") {
    return absl::InvalidArgumentError(
        absl::StrCat("type \"", type, "\" is not bind, volume or tmpfs"));
  }
  if (!absl::StartsWith(target, "/")) {
    return absl::InvalidArgumentError("needs target=/an/absolute/path");
  }
  if (type == "bind" && !absl::StartsWith(source, "/")) {
    return absl::InvalidArgumentError("a bind mount needs source=/an/absolute/path");
  }
  if (type == "tmpfs" && !source.empty()) {
    return absl::InvalidArgumentError("a tmpfs mount has no source");
  }
  return absl::OkStatus();
}

absl::Status UnknownField(absl::string_view what, const std::string& key,
                          const std::vector<std::string>& known) {
  std::string message = absl::StrCat("\"", key, "\" is no ", what);
  if (const std::string hint = DidYouMean(key, known); !hint.empty()) {
    absl::StrAppend(&message, "; ", hint);
  }
  return absl::InvalidArgumentError(message);
}

absl::Status UnknownMountField(const std::string& key) {
  std::vector<std::string> known = {"type", "source", "src", "target", "destination", "dst"};
  for (const MountField& field : kMountFields) known.emplace_back(field.key);
  return UnknownField("field of a mount", key, known);
}

absl::StatusOr<std::pair<std::string, std::string>> SplitDevice(absl::string_view text,
                                                                absl::string_view what) {
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || !absl::StartsWith(text, "/dev/")) {
    return Wrong(text, absl::StrCat("is not /dev/NAME:", what));
  }
  return std::make_pair(std::string(text.substr(0, colon)), std::string(text.substr(colon + 1)));
}

}  // namespace

Value TextValue(absl::string_view text) {
  Value value;
  value.set_string_value(std::string(text));
  return value;
}

Value NumberValue(int64_t number) {
  Value value;
  value.set_number_value(static_cast<double>(number));
  return value;
}

Value SwitchValue(bool on) {
  Value value;
  value.set_bool_value(on);
  return value;
}

absl::StatusOr<int64_t> ParseInteger(absl::string_view text) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number > kLargestNumber || number < -kLargestNumber) {
    return Wrong(text, "is not a whole number");
  }
  return number;
}

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  const absl::Status wrong = Wrong(text, "is not a size; write it like 512m or 1.5g");
  std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits == absl::string_view::npos) digits = text.size();
  double number = 0;
  if (digits == 0 || !absl::SimpleAtod(text.substr(0, digits), &number)) return wrong;
  std::string unit = absl::AsciiStrToLower(absl::StripLeadingAsciiWhitespace(text.substr(digits)));
  absl::string_view rest = unit;
  absl::ConsumeSuffix(&rest, "b");
  absl::ConsumeSuffix(&rest, "i");
  constexpr absl::string_view kUnits = "kmgtp";
  if (rest.size() > 1 || (rest.empty() && absl::StrContains(unit, "i"))) return wrong;
  if (!rest.empty()) {
    const std::size_t power = kUnits.find(rest[0]);
    if (power == absl::string_view::npos) return wrong;
    for (std::size_t i = 0; i <= power; ++i) number *= 1024;
  }
  if (number > static_cast<double>(kLargestNumber)) return wrong;
  return static_cast<int64_t>(number);
}

absl::StatusOr<int64_t> ParseNanoCpus(absl::string_view text) {
  double cpus = 0;
  const bool plain = text.find_first_not_of("0123456789.") == absl::string_view::npos;
  if (!plain || !absl::SimpleAtod(text, &cpus) || cpus <= 0 || cpus > 1e6) {
    return Wrong(text, "is not a number of CPUs; write it like 1.5");
  }
  return std::llround(cpus * 1e9);
}

absl::StatusOr<bool> ParseSwitch(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == "true" || lower == "1" || lower == "t") return true;
  if (lower == "false" || lower == "0" || lower == "f") return false;
  return Wrong(text, "is not true or false");
}

absl::StatusOr<std::vector<std::string>> SplitFields(absl::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return Wrong(text, "has a quote without its end");
  return fields;
}

absl::StatusOr<Value> ReadUlimit(absl::string_view text) {
  static const auto* const kNames = new std::vector<std::string>{
      "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
      "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack"};
  const Pair pair = SplitPair(std::string(text));
  if (!pair.value) return Wrong(text, "is not NAME=SOFT[:HARD]");
  if (std::find(kNames->begin(), kNames->end(), pair.key) == kNames->end()) {
    return UnknownField("ulimit", pair.key, *kNames);
  }
  const std::vector<std::string> numbers = absl::StrSplit(*pair.value, absl::MaxSplits(':', 1));
  ASSIGN_OR_RETURN(const int64_t soft, ParseInteger(numbers.front()));
  ASSIGN_OR_RETURN(const int64_t hard, ParseInteger(numbers.back()));
  if (hard != -1 && (soft > hard || soft == -1)) {
    return Wrong(text, "has a soft limit above the hard one");
  }
  Struct limit;
  (*limit.mutable_fields())["Name"] = TextValue(pair.key);
  (*limit.mutable_fields())["Soft"] = NumberValue(soft);
  (*limit.mutable_fields())["Hard"] = NumberValue(hard);
  return StructValue(std::move(limit));
}

bool IsCdiDevice(absl::string_view text) {
  return !absl::StartsWith(text, "/") && absl::StrContains(text, "/") &&
         absl::StrContains(text, "=");
}

absl::StatusOr<Value> ReadDevice(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const auto is_mode = [](const std::string& part) {
    return !part.empty() && part.find_first_not_of("rwm") == std::string::npos;
  };
  if (parts.size() > 3 || !absl::StartsWith(parts[0], "/")) {
    return Wrong(text, "is not /dev/NAME[:/dev/IN_CONTAINER][:rwm]");
  }
  std::string inside = parts[0];
  std::string mode = "rwm";
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (absl::StartsWith(parts[i], "/") && i == 1) {
      inside = parts[i];
    } else if (is_mode(parts[i]) && i + 1 == parts.size()) {
      mode = parts[i];
    } else {
      return Wrong(parts[i], "is neither an absolute path nor made of r, w and m");
    }
  }
  Struct device;
  (*device.mutable_fields())["PathOnHost"] = TextValue(parts[0]);
  (*device.mutable_fields())["PathInContainer"] = TextValue(inside);
  (*device.mutable_fields())["CgroupPermissions"] = TextValue(mode);
  return StructValue(std::move(device));
}

absl::StatusOr<Value> ReadGpus(absl::string_view text) {
  ASSIGN_OR_RETURN(const std::vector<std::string> fields, SplitFields(text));
  std::optional<int64_t> count;
  std::string driver;
  std::vector<std::string> devices;
  std::vector<std::string> capabilities;
  for (const std::string& field : fields) {
    Pair pair = SplitPair(field);
    if (!pair.value) pair = {"count", pair.key};
    if (pair.key == "count" && *pair.value == "all") {
      count = -1;
    } else if (pair.key == "count") {
      ASSIGN_OR_RETURN(count, ParseInteger(*pair.value));
    } else if (pair.key == "driver") {
      driver = *pair.value;
    } else if (pair.key == "device") {
      devices = absl::StrSplit(*pair.value, ',');
    } else if (pair.key == "capabilities") {
      capabilities = absl::StrSplit(*pair.value, ',');
    } else {
      return UnknownField("field of gpus", pair.key, {"count", "driver", "device", "capabilities"});
    }
  }
  if (count && !devices.empty()) {
    return Wrong(text, "names devices and a number of them; give one");
  }
  if (std::find(capabilities.begin(), capabilities.end(), "gpu") == capabilities.end()) {
    capabilities.emplace_back("gpu");
  }
  Struct request;
  auto& into = *request.mutable_fields();
  if (!driver.empty()) into["Driver"] = TextValue(driver);
  if (devices.empty()) into["Count"] = NumberValue(count.value_or(1));
  if (!devices.empty()) into["DeviceIDs"] = ListOf(devices);
  *into["Capabilities"].mutable_list_value()->add_values() = ListOf(capabilities);
  return StructValue(std::move(request));
}

absl::StatusOr<Value> ReadMount(absl::string_view text) {
  ASSIGN_OR_RETURN(const std::vector<std::string> fields, SplitFields(text));
  std::string type = "volume";
  std::string source;
  std::string target;
  Struct mount;
  std::vector<const MountField*> given;
  for (const std::string& field : fields) {
    const Pair pair = SplitPair(field);
    const std::string value = pair.value.value_or("");
    if (pair.key == "type") {
      type = value;
    } else if (pair.key == "source" || pair.key == "src") {
      source = value;
    } else if (pair.key == "target" || pair.key == "destination" || pair.key == "dst") {
      target = value;
    } else {
      const auto* found =
          std::find_if(std::begin(kMountFields), std::end(kMountFields),
                       [&](const MountField& candidate) { return candidate.key == pair.key; });
      if (found == std::end(kMountFields)) return UnknownMountField(pair.key);
      RETURN_IF_ERROR(SetMountField(*found, pair, mount), pair.key);
      given.push_back(found);
    }
  }
  RETURN_IF_ERROR(CheckMount(type, source, target));
  for (const MountField* field : given) {
    if (field->type.empty() || field->type == type) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field->key, " goes with type=", field->type, ", not with type=", type));
  }
  (*mount.mutable_fields())["Type"] = TextValue(type);
  (*mount.mutable_fields())["Target"] = TextValue(target);
  if (!source.empty()) (*mount.mutable_fields())["Source"] = TextValue(source);
  return StructValue(std::move(mount));
}

absl::StatusOr<Value> ReadThrottle(absl::string_view text, bool in_bytes) {
  ASSIGN_OR_RETURN(const auto parts, SplitDevice(text, "RATE"));
  ASSIGN_OR_RETURN(const int64_t rate,
                   in_bytes ? ParseBytes(parts.second) : ParseInteger(parts.second));
  if (rate < 0) return Wrong(text, "has a rate below 0");
  Struct throttle;
  (*throttle.mutable_fields())["Path"] = TextValue(parts.first);
  (*throttle.mutable_fields())["Rate"] = NumberValue(rate);
  return StructValue(std::move(throttle));
}

absl::StatusOr<Value> ReadWeight(absl::string_view text) {
  ASSIGN_OR_RETURN(const auto parts, SplitDevice(text, "WEIGHT"));
  ASSIGN_OR_RETURN(const int64_t weight, ParseInteger(parts.second));
  Struct device;
  (*device.mutable_fields())["Path"] = TextValue(parts.first);
  (*device.mutable_fields())["Weight"] = NumberValue(weight);
  return StructValue(std::move(device));
}

absl::StatusOr<std::vector<std::string>> ReadExposed(absl::string_view text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('/', 1));
  const std::string protocol = parts.second.empty() ? "tcp" : absl::AsciiStrToLower(parts.second);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return Wrong(protocol, "is not tcp, udp or sctp");
  }
  ASSIGN_OR_RETURN(const PortRange range, ParsePortRange(parts.first, 1));
  std::vector<std::string> keys;
  for (uint32_t port = range.first; port <= range.last; ++port) {
    keys.push_back(absl::StrCat(port, "/", protocol));
  }
  return keys;
}

}  // namespace fairlead::resources
