#include "agent/compose_project.h"

#include <algorithm>
#include <optional>
#include <set>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/engine_json.h"
#include "base/status.h"
#include "resources/container_spec.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

std::string KeyOf(const json::object::value_type& entry) {
  return std::string(entry.key().data(), entry.key().size());
}

// Keys in order, so that the order of a map in a file does not count.
std::string Canonical(const json::value& value) {
  if (const json::object* object = value.if_object(); object != nullptr) {
    std::map<std::string, std::string> parts;
    for (const auto& entry : *object) parts[KeyOf(entry)] = Canonical(entry.value());
    return absl::StrCat("{", absl::StrJoin(parts, ",", absl::PairFormatter(":")), "}");
  }
  if (const json::array* array = value.if_array(); array != nullptr) {
    std::vector<std::string> parts;
    for (const json::value& element : *array) parts.push_back(Canonical(element));
    return absl::StrCat("[", absl::StrJoin(parts, ","), "]");
  }
  return std::string(json::serialize(value));
}

// Names in a list of texts or the keys of a map.
std::vector<std::string> NamesAt(const json::object& service, absl::string_view field) {
  if (const json::object* map = ObjectAt(service, {field}); map != nullptr) {
    std::vector<std::string> names;
    for (const auto& entry : *map) names.push_back(KeyOf(entry));
    return names;
  }
  return TextsAt(service, {field});
}

// X of "service:X".
std::optional<std::string> SharedService(const std::string& text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "service:")) return std::nullopt;
  return std::string(rest);
}

// Services whose containers this one is tied to: when they are recreated it must be too.
std::set<std::string> TiedTo(const json::object& service) {
  std::set<std::string> tied;
  for (const char* field : {"network_mode", "pid", "ipc"}) {
    if (const auto shared = SharedService(TextAt(service, {field}))) tied.insert(*shared);
  }
  for (const std::string& from : TextsAt(service, {"volumes_from"})) {
    if (!absl::StartsWith(from, "container:")) tied.insert(from.substr(0, from.find(':')));
  }
  return tied;
}

// Source of a volume, secret or config in its short or long form.
std::string VolumeSource(const json::value& volume) {
  if (const json::object* object = volume.if_object(); object != nullptr) {
    return TextAt(*object, {"source"});
  }
  if (!volume.is_string()) return "";
  const std::string text(volume.as_string().c_str());
  return text.substr(0, text.find(':'));
}

// A published port in its short form, as an older compose prints it, or its long form.
std::vector<v1::ContainerSpec::Port> PortsOf(const json::object& service) {
  std::vector<v1::ContainerSpec::Port> ports;
  const json::array* listed = ArrayAt(service, {"ports"});
  if (listed == nullptr) return ports;
  for (const json::value& entry : *listed) {
    if (entry.is_string()) {
      const std::string text(entry.as_string().c_str());
      for (auto& port : resources::ReadablePorts(text)) ports.push_back(std::move(port));
    } else if (entry.is_object()) {
      const json::object& port = entry.as_object();
      v1::ContainerSpec::Port& added = ports.emplace_back();
      added.set_host_ip(TextAt(port, {"host_ip"}));
      added.set_container_port(static_cast<uint32_t>(NumberAt(port, {"target"})));
      // A number or a text; a range is left to the engine.
      uint32_t published = static_cast<uint32_t>(NumberAt(port, {"published"}));
      if (published == 0 && !absl::SimpleAtoi(TextAt(port, {"published"}), &published)) {
        published = 0;
      }
      added.set_host_port(published);
      const std::string protocol = TextAt(port, {"protocol"});
      added.set_protocol(protocol.empty() ? "tcp" : protocol);
    }
  }
  std::erase_if(ports, [](const v1::ContainerSpec::Port& port) { return port.host_port() == 0; });
  return ports;
}

int ReplicasOf(const json::object& service) {
  for (const JsonPath path : {JsonPath{"scale"}, JsonPath{"deploy", "replicas"}}) {
    if (ValueAt(service, path) != nullptr) return static_cast<int>(NumberAt(service, path));
  }
  return 1;
}

class Analysis {
 public:
  explicit Analysis(const ComposeQuestion& question) : question_(question) {}

  absl::StatusOr<std::vector<ComposeService>> Run() {
    const json::object* services = ObjectAt(question_.config, {"services"});
    if (services != nullptr) {
      for (const auto& entry : *services) {
        if (entry.value().is_object() && IsActive(entry.value().as_object())) {
          services_[KeyOf(entry)] = &entry.value().as_object();
        }
      }
    }
    if (services_.empty()) return absl::InvalidArgumentError("the compose files hold no service");
    for (const auto& [name, service] : services_) {
      RETURN_IF_ERROR(Hash(name, 0).status());
    }
    for (const auto& [name, service] : services_) Place(name);
    return std::move(ordered_);
  }

 private:
  bool IsActive(const json::object& service) const {
    const std::vector<std::string> profiles = TextsAt(service, {"profiles"});
    if (profiles.empty()) return true;
    return std::any_of(profiles.begin(), profiles.end(), [&](const std::string& profile) {
      return std::find(question_.profiles.begin(), question_.profiles.end(), profile) !=
             question_.profiles.end();
    });
  }

  absl::StatusOr<std::string> Hash(const std::string& name, std::size_t depth) {
    if (const auto known = hashes_.find(name); known != hashes_.end()) return known->second;
    const auto found = services_.find(name);
    if (found == services_.end()) return std::string();
    if (depth > services_.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("service ", name, " shares namespaces with itself in a circle"));
    }
    const json::object& service = *found->second;
    std::string text = absl::StrCat(name, "\n", Canonical(service), "\n", ContentsOf(name, service),
                                    ContextOf(service));
    for (const std::string& other : TiedTo(service)) {
      ASSIGN_OR_RETURN(const std::string hash, Hash(other, depth + 1));
      absl::StrAppend(&text, "\ntied:", other, "=", hash);
    }
    std::string hash =
        absl::StrCat("v1:", question_.hasher.key_id(), ":", question_.hasher.HashText(text));
    hashes_[name] = hash;
    return hash;
  }

  static bool Concerns(const WatchedPath& watched, const std::string& service) {
    return watched.services.empty() || watched.services.contains(service);
  }

  // Those of the service that ask for this.
  std::set<std::string> Watched(const std::string& service,
                                v1::ApplyStack::WatchedFile::Effect effect) const {
    std::set<std::string> paths;
    for (const WatchedPath& watched : question_.watched) {
      if (watched.effect == effect && Concerns(watched, service)) paths.insert(watched.path);
    }
    return paths;
  }

  std::string RestartKey(const std::string& name) const {
    std::string text;
    for (const std::string& path : Watched(name, v1::ApplyStack::WatchedFile::EFFECT_RESTART)) {
      absl::StrAppend(&text, path, "=", question_.content_of(path, {}), "\n");
    }
    return text.empty() ? text : question_.hasher.HashText(text);
  }

  std::string ContextOf(const json::object& service) const {
    if (!question_.context_of) return "";
    std::string path = TextAt(service, {"build", "context"});
    if (path.empty()) path = TextAt(service, {"build"});
    if (!absl::StartsWith(path, "/")) return "";
    const std::string content = question_.context_of(path);
    return content.empty() ? "" : absl::StrCat("context:", path, "=", content, "\n");
  }

  // Files that are watched for a redeploy and lie in none of `mounted`.
  std::string WatchedContents(const std::string& name, const std::set<std::string>& mounted) const {
    std::string text;
    for (const std::string& path : Watched(name, v1::ApplyStack::WatchedFile::EFFECT_REDEPLOY)) {
      const bool counts =
          std::any_of(mounted.begin(), mounted.end(), [&path](const std::string& mount) {
            return path == mount || absl::StartsWith(path, absl::StrCat(mount, "/"));
          });
      const std::string content = counts ? "" : question_.content_of(path, {});
      if (!content.empty()) absl::StrAppend(&text, "watched:", path, "=", content, "\n");
    }
    return text;
  }

  std::string ContentsOf(const std::string& name, const json::object& service) const {
    std::set<std::string> paths;
    if (const json::array* volumes = ArrayAt(service, {"volumes"}); volumes != nullptr) {
      for (const json::value& volume : *volumes) paths.insert(VolumeSource(volume));
    }
    std::string text;
    for (const char* kind : {"secrets", "configs"}) {
      const json::array* used = ArrayAt(service, {kind});
      if (used == nullptr) continue;
      for (const json::value& entry : *used) {
        const std::string used_name = VolumeSource(entry);
        paths.insert(TextAt(question_.config, {kind, used_name, "file"}));
      }
    }
    for (const char* kind : {"networks", "volumes"}) {
      for (const std::string& used : UsedNames(service, kind)) {
        const json::value* definition = ValueAt(question_.config, {kind, used});
        if (definition == nullptr) continue;
        absl::StrAppend(&text, kind, ".", used, "=", Canonical(*definition), "\n");
      }
    }
    std::set<std::string> but = Watched(name, v1::ApplyStack::WatchedFile::EFFECT_NONE);
    but.merge(Watched(name, v1::ApplyStack::WatchedFile::EFFECT_RESTART));
    for (const std::string& path : paths) {
      if (!absl::StartsWith(path, "/") || but.contains(path)) continue;
      const std::string content = question_.content_of(path, but);
      if (!content.empty()) absl::StrAppend(&text, "file:", path, "=", content, "\n");
    }
    return absl::StrCat(text, WatchedContents(name, paths));
  }

  static std::vector<std::string> UsedNames(const json::object& service, absl::string_view kind) {
    std::vector<std::string> names;
    if (kind == "networks") {
      names = NamesAt(service, kind);
    } else if (const json::array* volumes = ArrayAt(service, {kind}); volumes != nullptr) {
      for (const json::value& volume : *volumes) names.push_back(VolumeSource(volume));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  // The engine's name of a network or volume that somebody else is to make; empty: compose does.
  std::string ExternalName(absl::string_view kind, const std::string& key) const {
    const json::value* external = ValueAt(question_.config, {kind, key, "external"});
    if (external == nullptr || (external->is_bool() && !external->as_bool())) return "";
    std::string name = TextAt(question_.config, {kind, key, "name"});
    if (name.empty()) name = TextAt(question_.config, {kind, key, "external", "name"});
    return name.empty() ? key : name;
  }

  HostNeeds NeedsOf(const json::object& service) const {
    HostNeeds needs;
    const std::string image = TextAt(service, {"image"});
    if (!image.empty() && ValueAt(service, {"build"}) == nullptr) needs.images.insert(image);
    std::vector<std::string> networks = UsedNames(service, "networks");
    if (networks.empty()) networks.emplace_back("default");
    for (const std::string& key : networks) needs.networks.insert(ExternalName("networks", key));
    for (const std::string& key : UsedNames(service, "volumes")) {
      needs.volumes.insert(ExternalName("volumes", key));
    }
    needs.networks.erase("");
    needs.volumes.erase("");
    needs.ports = PortsOf(service);
    return needs;
  }

  // Behind what it depends on; compose itself refuses circles of depends_on.
  void Place(const std::string& name) {
    const auto found = services_.find(name);
    if (found == services_.end() || !placed_.insert(name).second) return;
    const json::object& service = *found->second;
    const std::set<std::string> tied = TiedTo(service);
    std::set<std::string> before = tied;
    for (const std::string& other : NamesAt(service, "depends_on")) before.insert(other);
    for (const std::string& other : before) Place(other);
    ordered_.push_back({.name = name,
                        .hash = hashes_[name],
                        .replicas = ReplicasOf(service),
                        .image = TextAt(service, {"image"}),
                        .builds = ValueAt(service, {"build"}) != nullptr,
                        .needs = NeedsOf(service),
                        .restart_key = RestartKey(name),
                        .tied_to = tied});
  }

  const ComposeQuestion& question_;
  std::map<std::string, const json::object*> services_;
  std::map<std::string, std::string> hashes_;
  std::set<std::string> placed_;
  std::vector<ComposeService> ordered_;
};

}  // namespace

absl::StatusOr<std::vector<ComposeService>> AnalyseServices(const ComposeQuestion& question) {
  return Analysis(question).Run();
}

std::string ToLabelOverride(
    const std::map<std::string, std::map<std::string, std::string>>& labels) {
  json::object services;
  for (const auto& [service, pairs] : labels) {
    json::object added;
    for (const auto& [key, value] : pairs) {
      added[key] = absl::StrReplaceAll(value, {{"$", "$$"}});
    }
    services[service] = {{"labels", std::move(added)}};
  }
  return std::string(json::serialize(json::object{{"services", std::move(services)}}));
}

std::string StripTopLevelName(absl::string_view text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  for (std::string& line : lines) {
    // An empty line keeps the line numbers of compose's messages.
    if (absl::StartsWith(line, "name:")) line.clear();
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace fairlead::agent
