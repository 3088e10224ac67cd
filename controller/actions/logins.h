// Accounts at git servers and image registries, as jobs need them.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::actions {

// Thread-safe. An error says where to add the account; without an account there is nothing to add.
class Logins {
 public:
  virtual ~Logins() = default;
  // Login, ssh_key and known_hosts of a source at `domain`.
  virtual absl::StatusOr<v1::GitSource> FindGit(const std::string& domain,
                                                const std::string& account) const = 0;
  virtual absl::StatusOr<v1::Login> FindRegistry(const std::string& domain,
                                                 const std::string& account) const = 0;
};

}  // namespace fairlead::actions
