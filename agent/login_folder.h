// Registry logins for the tools that the agent calls.
#pragma once

#include <string>

#include "absl/status/status.h"

#include "agent/registry_login.h"

namespace fairlead::agent {

// A folder for DOCKER_CONFIG with the logins of one action and nothing else of them: readable by
// the agent's user only, and removed when this goes. What a crash left is removed by the next one
// of the same folder. Confined to the action's thread.
class LoginFolder {
 public:
  explicit LoginFolder(std::string directory);
  ~LoginFolder();
  LoginFolder(const LoginFolder&) = delete;
  LoginFolder& operator=(const LoginFolder&) = delete;

  // Lays the logins over the agent's own configuration, if it has one, and writes that. Nothing is
  // written without logins.
  absl::Status Write(const Logins& logins);

  // Value for DOCKER_CONFIG; empty: the agent's own is used.
  const std::string& variable() const { return variable_; }

 private:
  const std::string directory_;
  std::string variable_;
};

}  // namespace fairlead::agent
