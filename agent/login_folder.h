// Registry logins for the tools that the agent calls.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"

#include "fairlead/v1/action.pb.h"

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
  absl::Status Write(const google::protobuf::RepeatedPtrField<v1::Login>& logins);

  // Value for DOCKER_CONFIG; empty: the agent's own is used.
  const std::string& variable() const { return variable_; }

 private:
  const std::string directory_;
  std::string variable_;
};

// `own` is the content of the agent's config.json and `own_folder` where it lies; both may be
// empty. Logins for a domain take the place of every other way to log in there.
std::string ToDockerConfig(const google::protobuf::RepeatedPtrField<v1::Login>& logins,
                           absl::string_view own, absl::string_view own_folder);

}  // namespace fairlead::agent
