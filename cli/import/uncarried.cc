#include "cli/import/uncarried.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "cli/import/inspect_json.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

using IsUsual = std::function<bool(const json::value&)>;

IsUsual OneOf(std::set<std::string> texts) {
  return [texts = std::move(texts)](const json::value& value) {
    return value.is_string() && texts.contains(value.get_string().c_str());
  };
}

bool Always(const json::value&) { return true; }

bool IsUsualLog(const json::value& value) {
  const std::string type = TextAt(value, "/Type");
  return ObjectAt(value, "/Config").empty() &&
         (type.empty() || type == "json-file" || type == "local" || type == "journald");
}

// Members of HostConfig that a deployment says, that the engine fills in by itself, or that are
// looked at elsewhere: what is usual for them.
const std::map<std::string, IsUsual>& UsualHostConfig() {
  static const auto& usual = *new std::map<std::string, IsUsual>{
      {"Binds", Always},
      {"Mounts", Always},
      {"NetworkMode", Always},
      {"PortBindings", Always},
      {"RestartPolicy",
       [](const json::value& value) { return IsNothing(At(value, "/MaximumRetryCount")); }},
      {"ContainerIDFile", Always},
      {"ConsoleSize", Always},
      {"CgroupnsMode", Always},
      {"MaskedPaths", Always},
      {"ReadonlyPaths", Always},
      {"LogConfig", IsUsualLog},
      {"IpcMode", OneOf({"private", "shareable"})},
      {"Isolation", OneOf({"default"})},
      {"Runtime", OneOf({"runc"})},
      {"ShmSize",
       [](const json::value& value) { return value.is_int64() && value.get_int64() == 64 << 20; }}};
  return usual;
}

void AddHostConfig(const json::value& container, std::vector<std::string>* found) {
  for (const auto& [key, value] : ObjectAt(container, "/HostConfig")) {
    const std::string name(key);
    const auto usual = UsualHostConfig().find(name);
    if (IsNothing(&value) || (usual != UsualHostConfig().end() && usual->second(value))) continue;
    found->push_back(absl::StrCat("HostConfig.", name));
  }
}

void AddMounts(const json::value& container, std::vector<std::string>* found) {
  for (const json::value& mount : ArrayAt(container, "/HostConfig/Mounts")) {
    const std::string type = TextAt(mount, "/Type");
    bool plain = (type == "bind" || type == "volume") && !TextAt(mount, "/Source").empty();
    for (const auto& [key, value] : mount.is_object() ? mount.get_object() : json::object()) {
      static const std::set<std::string> said = {"Type", "Source", "Target", "ReadOnly"};
      plain = plain && (said.contains(std::string(key)) || IsNothing(&value));
    }
    if (!plain) found->push_back(absl::StrCat("HostConfig.Mounts ", TextAt(mount, "/Target")));
  }
}

void AddConfig(const json::value& container, const json::value& image,
               std::vector<std::string>* found) {
  // The image's own are in the next container too.
  for (const char* field : {"Entrypoint", "Healthcheck", "User", "WorkingDir"}) {
    const std::string pointer = absl::StrCat("/Config/", field);
    if (!MeansTheSame(At(container, pointer), At(image, pointer))) {
      found->push_back(absl::StrCat("Config.", field));
    }
  }
  for (const char* field : {"Domainname", "MacAddress", "NetworkDisabled", "OpenStdin", "Tty"}) {
    if (!IsNothing(At(container, absl::StrCat("/Config/", field)))) {
      found->push_back(absl::StrCat("Config.", field));
    }
  }
  const std::string hostname = TextAt(container, "/Config/Hostname");
  const std::string mode = TextAt(container, "/HostConfig/NetworkMode");
  const bool shares_name = mode == "host" || absl::StartsWith(mode, "container:");
  if (!shares_name && !absl::StartsWith(TextAt(container, "/Id"), hostname)) {
    found->push_back("Config.Hostname");
  }
  const json::object of_image = ObjectAt(image, "/Config/Volumes");
  for (const auto& [path, unused] : ObjectAt(container, "/Config/Volumes")) {
    if (of_image.if_contains(path) == nullptr) {
      found->push_back(absl::StrCat("Config.Volumes ", std::string(path)));
    }
  }
}

void AddNetworks(const json::value& container, std::vector<std::string>* found) {
  std::string mode = TextAt(container, "/HostConfig/NetworkMode");
  if (mode.empty() || mode == "default") mode = "bridge";
  if (absl::StartsWith(mode, "container:")) found->push_back("HostConfig.NetworkMode");
  const std::string id = TextAt(container, "/Id");
  const std::string own_name = TextAt(container, "/Name");
  for (const auto& [key, network] : ObjectAt(container, "/NetworkSettings/Networks")) {
    const std::string name = absl::StrCat("NetworkSettings.Networks ", std::string(key));
    if (std::string(key) != mode) {
      found->push_back(name);
      continue;
    }
    for (const char* field : {"IPAMConfig", "Links", "DriverOpts"}) {
      if (!IsNothing(At(network, absl::StrCat("/", field)))) {
        found->push_back(absl::StrCat(name, " ", field));
      }
    }
    const std::vector<std::string> aliases = TextsAt(network, "/Aliases");
    const bool given = std::any_of(aliases.begin(), aliases.end(), [&](const std::string& alias) {
      return !absl::StartsWith(id, alias) && absl::StrCat("/", alias) != own_name;
    });
    if (given) found->push_back(absl::StrCat(name, " Aliases"));
  }
}

}  // namespace

std::vector<std::string> FindUncarried(const json::value& container, const json::value& image) {
  std::vector<std::string> found;
  AddConfig(container, image, &found);
  AddHostConfig(container, &found);
  AddMounts(container, &found);
  AddNetworks(container, &found);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace fairlead::cli
