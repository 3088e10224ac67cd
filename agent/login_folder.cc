#include "agent/login_folder.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/docker_config.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {

LoginFolder::LoginFolder(std::string directory) : directory_(std::move(directory)) {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

LoginFolder::~LoginFolder() {
  std::error_code ignored;
  if (!variable_.empty()) std::filesystem::remove_all(directory_, ignored);
}

absl::Status LoginFolder::Write(const Logins& logins) {
  if (logins.empty()) return absl::OkStatus();
  const OwnDockerConfig own = ReadOwnDockerConfig();
  RETURN_IF_ERROR(base::MakeDirectories(directory_, 0700), "registry login");
  variable_ = directory_;
  return base::Annotate(
      base::WriteFileAtomically(absl::StrCat(directory_, "/config.json"),
                                DockerConfig(own.content, logins, PluginFolders(own)), 0600),
      "registry login");
}

}  // namespace fairlead::agent
