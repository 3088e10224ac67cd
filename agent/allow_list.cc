#include "agent/allow_list.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/engine_overlay.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Row {
  v1::Action::BodyCase kind;
  absl::string_view word;
};

// The only place that says which word allows what.
constexpr std::array kRows = {
    Row{v1::Action::kApplyContainer, "deploy"},
    Row{v1::Action::kFinishReplacement, "deploy"},
    Row{v1::Action::kUpdate, "deploy"},
    Row{v1::Action::kAdopt, "deploy"},
    Row{v1::Action::kCheck, "deploy"},
    Row{v1::Action::kApplyStack, "deploy"},
    Row{v1::Action::kAdoptStack, "deploy"},
    Row{v1::Action::kCheckStack, "deploy"},
    Row{v1::Action::kRemove, "remove"},
    Row{v1::Action::kRemoveStack, "remove"},
    Row{v1::Action::kStart, "control"},
    Row{v1::Action::kStop, "control"},
    Row{v1::Action::kRestart, "control"},
    Row{v1::Action::kPause, "control"},
    Row{v1::Action::kUnpause, "control"},
    Row{v1::Action::kPullImages, "pull"},
    Row{v1::Action::kRunService, "run"},
    Row{v1::Action::kBuildImage, "build"},
    Row{v1::Action::kCheckOutRepo, "checkout"},
    // Also what is not Fairlead's.
    Row{v1::Action::kActOnContainer, "host"},
    Row{v1::Action::kPruneHost, "host"},
    Row{v1::Action::kRemoveFromHost, "host"},
};
constexpr absl::string_view kLogs = "logs";

std::string KeyOf(const json::object::value_type& entry) {
  return std::string(entry.key().data(), entry.key().size());
}

// The engine reads names of members in any case.
const json::value* Find(const json::object& object, absl::string_view name) {
  for (const auto& entry : object) {
    if (absl::EqualsIgnoreCase(KeyOf(entry), name)) return &entry.value();
  }
  return nullptr;
}

std::string TextOf(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
}

bool IsTrue(const json::value* value) {
  if (value == nullptr) return false;
  return (value->is_bool() && value->get_bool()) || TextOf(value) == "true";
}

// Calls `check` for each element of an array until one is refused.
template <typename Check>
absl::Status ForEach(const json::value* list, const Check& check) {
  if (list == nullptr || !list->is_array()) return absl::OkStatus();
  for (const json::value& element : list->get_array()) RETURN_IF_ERROR(check(element));
  return absl::OkStatus();
}

// Links followed as far as there is something; what is not there yet is taken as it is written.
std::string Resolve(const std::string& path) {
  std::error_code error;
  const fs::path resolved = fs::weakly_canonical(path, error);
  std::string text = (error ? fs::path(path).lexically_normal() : resolved).string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

bool IsBelow(const std::string& path, const std::string& root) {
  return root == "/" || path == root || absl::StartsWith(path, absl::StrCat(root, "/"));
}

// What stands before the first colon; of "/dev/sda:/dev/xvda:r" the path of the host.
std::string HostPart(const std::string& text) { return text.substr(0, text.find(':')); }

}  // namespace

std::vector<std::string> AllowWords() {
  std::set<std::string> words = {std::string(kLogs)};
  for (const Row& row : kRows) words.insert(std::string(row.word));
  return {words.begin(), words.end()};
}

absl::string_view WordOf(v1::Action::BodyCase kind) {
  const auto* const found =
      std::find_if(kRows.begin(), kRows.end(), [kind](const Row& row) { return row.kind == kind; });
  return found == kRows.end() ? absl::string_view() : found->word;
}

absl::StatusOr<AllowList> AllowList::Make(AllowOptions options) {
  const std::vector<std::string> known = AllowWords();
  for (const std::string& word : options.words) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--allow \"", word, "\" is not one of ", absl::StrJoin(known, ", ")));
  }
  AllowList list;
  for (const std::string& path : options.paths) {
    if (!absl::StartsWith(path, "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat("--allow-mount \"", path, "\" is not an absolute path"));
    }
    list.roots_.push_back(Resolve(path));
  }
  // Not the whole of it: the agent's key lies beside them.
  for (const char* own : {"stacks", "checks", "repos", "builds"}) {
    std::error_code error;
    const fs::path data = fs::absolute(options.data_directory, error);
    list.roots_.push_back(Resolve((data / own).string()));
  }
  list.options_ = std::move(options);
  return list;
}

absl::Status AllowList::CheckWord(absl::string_view word) const {
  const std::vector<std::string>& words = options_.words;
  if (words.empty() || std::find(words.begin(), words.end(), word) != words.end()) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat("this host does not allow \"", word, "\", only ",
                                                  absl::StrJoin(words, ", "),
                                                  "; set by --allow of its agent"));
}

absl::Status AllowList::CheckLogs() const { return CheckWord(kLogs); }

absl::Status AllowList::CheckAction(const v1::Action& action) const {
  const absl::string_view word = WordOf(action.body_case());
  // An unknown kind is refused elsewhere, as one of a newer controller.
  if (!word.empty()) RETURN_IF_ERROR(CheckWord(word));
  if (!options_.host_commands) RETURN_IF_ERROR(CheckCommands(action));
  return limits_paths() ? CheckPaths(action) : absl::OkStatus();
}

absl::Status AllowList::CheckCommand(const std::string& script, absl::string_view what) const {
  if (script.empty()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(what,
                   ": this host runs no commands of resources; set by "
                   "--allow-host-commands=false of its agent"));
}

absl::Status AllowList::CheckCommands(const v1::Action& action) const {
  const auto check_stack = [this](const v1::ApplyStack& stack) -> absl::Status {
    RETURN_IF_ERROR(CheckCommand(stack.pre_deploy().script(), "pre_deploy"));
    RETURN_IF_ERROR(CheckCommand(stack.post_deploy().script(), "post_deploy"));
    return CheckCommand(stack.wrapper(), "compose_cmd_wrapper");
  };
  switch (action.body_case()) {
    case v1::Action::kApplyStack:
      return check_stack(action.apply_stack());
    case v1::Action::kAdoptStack:
      return check_stack(action.adopt_stack().stack());
    case v1::Action::kCheckStack:
      return check_stack(action.check_stack().stack());
    case v1::Action::kPullImages:
      return check_stack(action.pull_images().stack());
    case v1::Action::kRunService:
      return check_stack(action.run_service().stack());
    case v1::Action::kBuildImage:
      return CheckCommand(action.build_image().pre_build().script(), "pre_build");
    case v1::Action::kCheckOutRepo:
      RETURN_IF_ERROR(CheckCommand(action.check_out_repo().on_clone().script(), "on_clone"));
      return CheckCommand(action.check_out_repo().on_pull().script(), "on_pull");
    default:
      return absl::OkStatus();
  }
}

absl::Status AllowList::CheckPath(const std::string& path) const {
  if (!limits_paths()) return absl::OkStatus();
  const std::string resolved = Resolve(path);
  const bool allowed =
      std::any_of(roots_.begin(), roots_.end(),
                  [&resolved](const std::string& root) { return IsBelow(resolved, root); });
  if (allowed) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "host path ", path, resolved == path ? "" : absl::StrCat(", which is ", resolved, ","),
      " is not below ", absl::StrJoin(options_.paths, ", "),
      "; set by --allow-mount of its agent"));
}

absl::Status AllowList::CheckPaths(const v1::Action& action) const {
  const auto check_directory = [this](const std::string& directory) {
    return absl::StartsWith(directory, "/") ? CheckPath(directory) : absl::OkStatus();
  };
  switch (action.body_case()) {
    case v1::Action::kApplyContainer:
      return CheckContainer(action.apply_container().spec());
    case v1::Action::kCheck:
      return CheckContainer(action.check().apply().spec());
    case v1::Action::kAdopt:
      return CheckContainer(action.adopt().spec());
    case v1::Action::kApplyStack:
      return check_directory(action.apply_stack().host_directory());
    case v1::Action::kAdoptStack:
      return check_directory(action.adopt_stack().stack().host_directory());
    case v1::Action::kCheckStack:
      return check_directory(action.check_stack().stack().host_directory());
    case v1::Action::kRunService:
      RETURN_IF_ERROR(check_directory(action.run_service().stack().host_directory()));
      return CheckOptionsOfRun(action.run_service());
    case v1::Action::kCheckOutRepo:
      return check_directory(action.check_out_repo().directory());
    case v1::Action::kBuildImage:
      return check_directory(action.build_image().host_directory());
    default:
      return absl::OkStatus();
  }
}

absl::Status AllowList::CheckContainer(const v1::ContainerSpec& spec) const {
  for (const v1::ContainerSpec::Mount& mount : spec.mounts()) {
    if (absl::StartsWith(mount.source(), "/")) RETURN_IF_ERROR(CheckPath(mount.source()));
  }
  for (const auto& entry : ToJson(spec.engine())) {
    if (!absl::EqualsIgnoreCase(KeyOf(entry), "HostConfig") || !entry.value().is_object()) continue;
    RETURN_IF_ERROR(CheckHostConfig(entry.value().get_object()));
  }
  return absl::OkStatus();
}

absl::Status AllowList::CheckHostConfig(const json::object& host_config) const {
  if (IsTrue(Find(host_config, "Privileged"))) {
    return absl::PermissionDeniedError(
        "a privileged container reaches every path of the host, which --allow-mount of its agent "
        "limits");
  }
  RETURN_IF_ERROR(ForEach(Find(host_config, "Binds"), [this](const json::value& bind) {
    const std::string source = HostPart(TextOf(&bind));
    return absl::StartsWith(source, "/") ? CheckPath(source) : absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEach(Find(host_config, "Devices"), [this](const json::value& device) {
    return device.is_object() ? CheckPath(TextOf(Find(device.get_object(), "PathOnHost")))
                              : absl::OkStatus();
  }));
  return ForEach(Find(host_config, "Mounts"), [this](const json::value& mount) -> absl::Status {
    if (!mount.is_object()) return absl::OkStatus();
    const std::string source = TextOf(Find(mount.get_object(), "Source"));
    if (absl::StartsWith(source, "/")) RETURN_IF_ERROR(CheckPath(source));
    const json::value* const options = Find(mount.get_object(), "VolumeOptions");
    if (options == nullptr || !options->is_object()) return absl::OkStatus();
    const json::value* const driver = Find(options->get_object(), "DriverConfig");
    if (driver == nullptr || !driver->is_object()) return absl::OkStatus();
    const json::value* const of_driver = Find(driver->get_object(), "Options");
    if (of_driver == nullptr || !of_driver->is_object()) return absl::OkStatus();
    const std::string device = TextOf(Find(of_driver->get_object(), "device"));
    return absl::StartsWith(device, "/") ? CheckPath(device) : absl::OkStatus();
  });
}

absl::Status AllowList::CheckOptionsOfRun(const v1::RunService& request) const {
  for (const std::string& argument : request.arguments()) {
    // docker-compose 1 takes the beginning of an option for it.
    const std::string name = argument.substr(0, argument.find('='));
    const bool is_volume = absl::StartsWith(name, "--")
                               ? name.size() > 2 && absl::StartsWith("--volume", name)
                               : absl::StartsWith(name, "-") && absl::StrContains(name, "v");
    if (!is_volume) continue;
    return absl::PermissionDeniedError(absl::StrCat(
        "\"", argument, "\" may mount any path of the host into the container that is ",
        "run, which --allow-mount of its agent limits"));
  }
  return absl::OkStatus();
}

absl::Status AllowList::CheckVolume(const json::value& volume) const {
  if (volume.is_string()) {
    const std::string source = HostPart(TextOf(&volume));
    return absl::StartsWith(source, "/") ? CheckPath(source) : absl::OkStatus();
  }
  if (!volume.is_object()) return absl::OkStatus();
  const std::string source = TextOf(volume.get_object().if_contains("source"));
  return absl::StartsWith(source, "/") ? CheckPath(source) : absl::OkStatus();
}

absl::Status AllowList::CheckService(const std::string& name, const json::object& service) const {
  if (IsTrue(service.if_contains("privileged"))) {
    return absl::PermissionDeniedError(absl::StrCat(
        "service ", name, ": a privileged container reaches every path of the host, which ",
        "--allow-mount of its agent limits"));
  }
  const std::string what = absl::StrCat("service ", name);
  RETURN_IF_ERROR(ForEach(service.if_contains("volumes"),
                          [this](const json::value& volume) { return CheckVolume(volume); }),
                  what);
  return base::Annotate(
      ForEach(service.if_contains("devices"),
              [this](const json::value& device) {
                const std::string path = device.is_object()
                                             ? TextOf(device.get_object().if_contains("source"))
                                             : HostPart(TextOf(&device));
                return absl::StartsWith(path, "/") ? CheckPath(path) : absl::OkStatus();
              }),
      what);
}

absl::Status AllowList::CheckCompose(const json::object& config) const {
  if (!limits_paths()) return absl::OkStatus();
  const auto for_members = [&config](absl::string_view kind, const auto& check) -> absl::Status {
    const json::value* const found = config.if_contains({kind.data(), kind.size()});
    if (found == nullptr || !found->is_object()) return absl::OkStatus();
    for (const auto& entry : found->get_object()) {
      if (!entry.value().is_object()) continue;
      RETURN_IF_ERROR(check(KeyOf(entry), entry.value().get_object()));
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(for_members("services", [this](const std::string& name, const json::object& one) {
    return CheckService(name, one);
  }));
  // A volume may be a folder of the host under another name.
  RETURN_IF_ERROR(for_members("volumes", [this](const std::string& name, const json::object& one) {
    const json::value* const options = one.if_contains("driver_opts");
    if (options == nullptr || !options->is_object()) return absl::OkStatus();
    const std::string device = TextOf(options->get_object().if_contains("device"));
    return base::Annotate(absl::StartsWith(device, "/") ? CheckPath(device) : absl::OkStatus(),
                          absl::StrCat("volume ", name));
  }));
  for (const char* kind : {"secrets", "configs"}) {
    RETURN_IF_ERROR(for_members(kind, [this](const std::string& name, const json::object& one) {
      const std::string file = TextOf(one.if_contains("file"));
      return base::Annotate(file.empty() ? absl::OkStatus() : CheckPath(file), name);
    }));
  }
  return absl::OkStatus();
}

std::string AllowList::Text() const {
  std::vector<std::string> parts;
  if (!options_.words.empty()) {
    parts.push_back(absl::StrCat("only ", absl::StrJoin(options_.words, ", ")));
  }
  if (limits_paths()) {
    parts.push_back(absl::StrCat("host paths below ", absl::StrJoin(options_.paths, ", ")));
  }
  if (!options_.host_commands) parts.emplace_back("no host commands");
  return absl::StrJoin(parts, "; ");
}

}  // namespace fairlead::agent
