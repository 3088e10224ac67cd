#include "agent/docker_config.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr char kPluginFolders[] = "cliPluginsExtraDirs";

// Services of the system have no HOME; docker asks the list of users then.
std::string HomeFolder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  std::array<char, 4096> texts{};
  struct passwd entry = {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, texts.data(), texts.size(), &found) != 0 ||
      found == nullptr || found->pw_dir == nullptr) {
    return "";
  }
  return found->pw_dir;
}

json::object ObjectOf(absl::string_view text) {
  boost::system::error_code error;
  json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !parsed.is_object()) return {};
  return std::move(parsed.as_object());
}

json::object& ObjectIn(json::object& parent, absl::string_view key) {
  json::value& value = parent[json::string_view(key.data(), key.size())];
  if (!value.is_object()) value.emplace_object();
  return value.as_object();
}

}  // namespace

OwnDockerConfig ReadOwnDockerConfig() {
  OwnDockerConfig own;
  const char* const set = std::getenv("DOCKER_CONFIG");
  if (set != nullptr && *set != '\0') {
    own.folder = set;
  } else if (const std::string home = HomeFolder(); !home.empty()) {
    own.folder = absl::StrCat(home, "/.docker");
  }
  if (!own.folder.empty()) {
    own.content = base::ReadFile(absl::StrCat(own.folder, "/config.json")).value_or("");
  }
  return own;
}

std::vector<std::string> PluginFolders(const OwnDockerConfig& own) {
  std::vector<std::string> folders;
  const json::object config = ObjectOf(own.content);
  const json::value* const named = config.if_contains(kPluginFolders);
  if (named != nullptr && named->is_array()) {
    for (const json::value& folder : named->as_array()) {
      if (folder.is_string()) folders.emplace_back(folder.as_string().c_str());
    }
  }
  if (!own.folder.empty()) folders.push_back(absl::StrCat(own.folder, "/cli-plugins"));
  return folders;
}

std::string DockerConfig(absl::string_view base, const Logins& logins,
                         const std::vector<std::string>& plugin_folders) {
  json::object config = ObjectOf(base);
  // A store would be asked instead of what stands here.
  config.erase("credsStore");
  for (const v1::Login& login : logins) {
    if (login.domain().empty()) continue;
    if (config.contains("credHelpers")) {
      json::object& helpers = ObjectIn(config, "credHelpers");
      helpers.erase(login.domain());
      helpers.erase(ServerAddress(login.domain()));
    }
    ObjectIn(config, "auths")[ServerAddress(login.domain())] = {
        {"auth", absl::Base64Escape(absl::StrCat(login.username(), ":", login.secret()))}};
  }
  if (!plugin_folders.empty()) {
    json::array& folders = config[kPluginFolders].emplace_array();
    for (const std::string& folder : plugin_folders) folders.emplace_back(folder);
  }
  return std::string(json::serialize(config));
}

}  // namespace fairlead::agent
