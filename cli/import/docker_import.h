// From what runs on a Docker host to the file that declares it.
#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>

#include "cli/import/container_import.h"

namespace fairlead::cli {

// All containers of an engine, in order of name, and the images that they run.
struct DockerSnapshot {
  // Answers of the engine's inspect.
  std::vector<boost::json::value> containers;
  std::vector<boost::json::value> images;
};

struct DockerImport {
  // A TOML file: compose projects as stacks, then the other running containers.
  std::string toml;
  // Sentences for the person: what was left out and why, and which secrets stand in clear.
  std::vector<std::string> notices;
};

DockerImport ImportDocker(const DockerSnapshot& snapshot, const DockerImportOptions& options);

}  // namespace fairlead::cli
