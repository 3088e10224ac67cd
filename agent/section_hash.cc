#include "agent/section_hash.h"

#include <algorithm>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/engine_json.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

// Null, false, 0, "", [] and {} mean the same to the engine, which fills some in by itself.
bool IsNothing(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::int64:
      return value.get_int64() == 0;
    case json::kind::uint64:
      return value.get_uint64() == 0;
    case json::kind::double_:
      return value.get_double() == 0;
    case json::kind::string:
      return value.get_string().empty();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
  }
  return true;
}

// With keys in order, without what says nothing.
std::string Canonical(const json::value& value) {
  if (const json::object* object = value.if_object(); object != nullptr) {
    std::map<std::string, std::string> parts;
    for (const auto& [key, member] : *object) {
      if (!IsNothing(member)) parts[std::string(key.data(), key.size())] = Canonical(member);
    }
    return absl::StrCat("{", absl::StrJoin(parts, ",", absl::PairFormatter(":")), "}");
  }
  if (const json::array* array = value.if_array(); array != nullptr) {
    std::vector<std::string> parts;
    for (const json::value& element : *array) parts.push_back(Canonical(element));
    return absl::StrCat("[", absl::StrJoin(parts, ","), "]");
  }
  const std::string text(json::serialize(value));
  return text;
}

std::string CanonicalAt(const json::object& object, JsonPath path) {
  const json::value* value = ValueAt(object, path);
  return value == nullptr || IsNothing(*value) ? "" : Canonical(*value);
}

// Elements in any order.
std::string CanonicalSetAt(const json::object& object, JsonPath path) {
  std::vector<std::string> parts;
  if (const json::array* array = ArrayAt(object, path); array != nullptr) {
    for (const json::value& element : *array) parts.push_back(Canonical(element));
  }
  std::sort(parts.begin(), parts.end());
  return absl::StrJoin(parts, "\n");
}

std::string LabelText(const json::object& inspect) {
  std::map<std::string, std::string> kept;
  const json::object* labels = ObjectAt(inspect, {"Config", "Labels"});
  if (labels == nullptr) return "";
  for (const auto& [key, value] : *labels) {
    const std::string name(key.data(), key.size());
    if (absl::StartsWith(name, "dev.fairlead.") || absl::StartsWith(name, "com.docker.compose.")) {
      continue;
    }
    kept[name] = Canonical(value);
  }
  return absl::StrJoin(kept, "\n", absl::PairFormatter("="));
}

std::string NetworkText(const json::object& inspect) {
  std::map<std::string, std::string> networks;
  if (const json::object* all = ObjectAt(inspect, {"NetworkSettings", "Networks"});
      all != nullptr) {
    for (const auto& [name, value] : *all) {
      const json::object* endpoint = value.if_object();
      networks[std::string(name.data(), name.size())] =
          endpoint == nullptr ? "" : CanonicalAt(*endpoint, {"IPAMConfig"});
    }
  }
  return absl::StrCat(TextAt(inspect, {"HostConfig", "NetworkMode"}), "\n",
                      absl::StrJoin(networks, "\n", absl::PairFormatter("=")));
}

std::string MountText(const json::object& inspect) {
  return absl::StrCat(CanonicalSetAt(inspect, {"HostConfig", "Binds"}), "\n--\n",
                      CanonicalSetAt(inspect, {"HostConfig", "Mounts"}), "\n--\n",
                      CanonicalSetAt(inspect, {"HostConfig", "VolumesFrom"}), "\n--\n",
                      CanonicalAt(inspect, {"HostConfig", "Tmpfs"}));
}

std::string LimitText(const json::object& inspect) {
  std::vector<std::string> lines;
  for (const char* field :
       {"Memory",    "MemorySwap",     "MemoryReservation", "NanoCpus",   "CpuShares",
        "CpuQuota",  "CpuPeriod",      "CpusetCpus",        "CpusetMems", "BlkioWeight",
        "PidsLimit", "Privileged",     "ReadonlyRootfs",    "CapAdd",     "CapDrop",
        "Devices",   "DeviceRequests", "SecurityOpt",       "Ulimits",    "Sysctls",
        "PidMode",   "UsernsMode",     "ExtraHosts",        "Dns"}) {
    lines.push_back(absl::StrCat(field, "=", CanonicalAt(inspect, {"HostConfig", field})));
  }
  lines.push_back(absl::StrCat("User=", TextAt(inspect, {"Config", "User"})));
  lines.push_back(absl::StrCat("WorkingDir=", TextAt(inspect, {"Config", "WorkingDir"})));
  return absl::StrJoin(lines, "\n");
}

// As long as the reference stands for the image that the container has, its name is enough.
std::string ImageText(const json::object& inspect, const std::string& image_now) {
  const bool is_retagged = !image_now.empty() && image_now != TextAt(inspect, {"Image"});
  return absl::StrCat(TextAt(inspect, {"Config", "Image"}), is_retagged ? "\n" : "",
                      is_retagged ? image_now : "");
}

}  // namespace

std::map<std::string, std::string> ComputeSectionHashes(const json::object& inspect,
                                                        const std::string& image_now,
                                                        const resources::SpecHasher& hasher) {
  const std::map<std::string, std::string> texts = {
      {"image", ImageText(inspect, image_now)},
      {"command", absl::StrCat(CanonicalAt(inspect, {"Config", "Entrypoint"}), "\n",
                               CanonicalAt(inspect, {"Config", "Cmd"}))},
      {"environment", CanonicalSetAt(inspect, {"Config", "Env"})},
      {"healthcheck", CanonicalAt(inspect, {"Config", "Healthcheck"})},
      {"mounts", MountText(inspect)},
      {"ports", CanonicalAt(inspect, {"HostConfig", "PortBindings"})},
      {"labels", LabelText(inspect)},
      {"networks", NetworkText(inspect)},
      {"limits", LimitText(inspect)}};
  std::map<std::string, std::string> hashes;
  // The section's name goes in, so that equal texts of two sections do not show.
  for (const auto& [section, text] : texts) {
    hashes[section] = hasher.HashText(absl::StrCat(section, "\n", text));
  }
  return hashes;
}

std::vector<std::string> ChangedSections(const std::map<std::string, std::string>& recorded,
                                         const std::map<std::string, std::string>& now) {
  std::vector<std::string> changed;
  for (const auto& [section, hash] : recorded) {
    const auto found = now.find(section);
    if (found == now.end() || found->second != hash) changed.push_back(section);
  }
  return changed;
}

bool IsAsRecorded(const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now) {
  return ChangedSections(recorded, now).empty();
}

}  // namespace fairlead::agent
