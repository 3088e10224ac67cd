// Docker's own configuration file, config.json, for the tools that the agent calls.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "agent/registry_login.h"

namespace fairlead::agent {

// The configuration of whoever runs the agent; both empty: there is none.
struct OwnDockerConfig {
  // DOCKER_CONFIG, else ~/.docker.
  std::string folder;
  // Of its config.json.
  std::string content;
};

OwnDockerConfig ReadOwnDockerConfig();

// Where docker looks for plugins (buildx, compose) beside the system's folders, which it always
// knows: those that the own configuration names, and its own.
std::vector<std::string> PluginFolders(const OwnDockerConfig& own);

// The config.json of a folder for DOCKER_CONFIG: `base`, which may be empty, with the logins laid
// over it and with these folders of plugins. A login for a registry takes the place of every other
// way to log in there; one without a domain is nobody's.
std::string DockerConfig(absl::string_view base, const Logins& logins,
                         const std::vector<std::string>& plugin_folders);

}  // namespace fairlead::agent
