// Accounts at git servers and image registries that an operator gave to the controller.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/accounts.pb.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::controller {

// What opens a git server: a login for http and https, a key for ssh; either may be empty.
struct GitAccess {
  v1::Login login;
  // PEM.
  std::string ssh_key;
  // Lines as in ~/.ssh/known_hosts; empty: those of the host that connects.
  std::string known_hosts;
};

// A value; immutable. Domains are compared without case.
class Accounts {
 public:
  // None.
  Accounts() = default;

  // Reads the file and those that it names, once. InvalidArgument with all problems, as
  // `file:line:column: error: ...`; PermissionDenied when others than its owner may read one of
  // them; else as base::ReadFile.
  static absl::StatusOr<Accounts> Load(const std::string& path);

  // NotFound says where to add it. An empty `account` is no account at all: an empty access.
  absl::StatusOr<GitAccess> FindGit(absl::string_view domain, absl::string_view account) const;
  absl::StatusOr<v1::Login> FindRegistry(absl::string_view domain, absl::string_view account) const;

  // Tokens and keys, to be kept out of everything that is said.
  std::vector<std::string> Secrets() const;

 private:
  // Domain and name.
  using Key = std::pair<std::string, std::string>;

  std::map<Key, GitAccess> git_;
  std::map<Key, v1::Login> registries_;
};

}  // namespace fairlead::controller
