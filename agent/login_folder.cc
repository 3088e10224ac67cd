#include "agent/login_folder.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

// What docker calls its default registry.
constexpr char kDefaultRegistry[] = "https://index.docker.io/v1/";

std::string OwnFolder() {
  if (const char* set = std::getenv("DOCKER_CONFIG"); set != nullptr && *set != '\0') return set;
  const char* home = std::getenv("HOME");
  return home == nullptr ? "" : absl::StrCat(home, "/.docker");
}

json::object& ObjectIn(json::object& parent, absl::string_view key) {
  json::value& value = parent[json::string_view(key.data(), key.size())];
  if (!value.is_object()) value.emplace_object();
  return value.as_object();
}

}  // namespace

std::string ToDockerConfig(const google::protobuf::RepeatedPtrField<v1::Login>& logins,
                           absl::string_view own, absl::string_view own_folder) {
  boost::system::error_code error;
  json::value parsed = json::parse(json::string_view(own.data(), own.size()), error);
  json::object config;
  if (!error && parsed.is_object()) config = std::move(parsed.as_object());
  // A store would be asked instead of what stands here.
  config.erase("credsStore");
  for (const v1::Login& login : logins) {
    const bool is_default = login.domain().empty() || login.domain() == "docker.io";
    const std::string registry = is_default ? kDefaultRegistry : login.domain();
    ObjectIn(config, "credHelpers").erase(is_default ? "docker.io" : registry);
    ObjectIn(config, "auths")[registry] = {
        {"auth", absl::Base64Escape(absl::StrCat(login.username(), ":", login.secret()))}};
  }
  if (!own_folder.empty()) {
    // `docker compose` may be a plugin there.
    json::value& folders = config["cliPluginsExtraDirs"];
    if (!folders.is_array()) folders.emplace_array();
    const std::string plugins = absl::StrCat(own_folder, "/cli-plugins");
    folders.as_array().emplace_back(plugins);
  }
  return std::string(json::serialize(config));
}

LoginFolder::LoginFolder(std::string directory) : directory_(std::move(directory)) {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

LoginFolder::~LoginFolder() {
  std::error_code ignored;
  if (!variable_.empty()) std::filesystem::remove_all(directory_, ignored);
}

absl::Status LoginFolder::Write(const google::protobuf::RepeatedPtrField<v1::Login>& logins) {
  if (logins.empty()) return absl::OkStatus();
  const std::string folder = OwnFolder();
  const absl::StatusOr<std::string> own = base::ReadFile(absl::StrCat(folder, "/config.json"));
  RETURN_IF_ERROR(base::MakeDirectories(directory_, 0700), "registry login");
  variable_ = directory_;
  return base::Annotate(
      base::WriteFileAtomically(absl::StrCat(directory_, "/config.json"),
                                ToDockerConfig(logins, own.value_or(""), folder), 0600),
      "registry login");
}

}  // namespace fairlead::agent
