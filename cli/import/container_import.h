// From a container that runs to the deployment that declares it.
#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"

namespace fairlead::cli {

struct DockerImportOptions {
  // The server to write into the resources.
  std::string server;
  // Values that look secret become [[NAME]], with a variable that has them.
  bool secrets_as_variables = false;
};

struct ImportedContainer {
  // With `adopt` when nothing is lost by that.
  v1::Resource deployment;
  // Secret, and with their values.
  std::vector<v1::Resource> variables;
  // What no field says, such as "HostConfig.CapAdd".
  std::vector<std::string> uncarried;
  // What to think of before the container is recreated.
  std::vector<std::string> cares;
  // Keys of the environment that look secret and stand in clear.
  std::vector<std::string> secrets;
};

// Both are answers of the engine's inspect; `image` is that of the container, null when it is gone.
ImportedContainer ImportContainer(const boost::json::value& container,
                                  const boost::json::value& image,
                                  const DockerImportOptions& options);

// Whether the value of a variable of this name is likely to be a password, a token or a key.
bool LooksSecret(absl::string_view name);

}  // namespace fairlead::cli
