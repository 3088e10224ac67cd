// What the file of --oidc says.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fairlead::access::oidc {

struct Settings {
  std::string issuer;
  std::string client_id;
  // Empty: a public client.
  std::string client_secret;
  // "openid profile".
  std::string scope;
  std::string username_claim;
  std::string groups_claim;
  // Who else a token may be for.
  std::vector<std::string> audiences;
  // PEM file; empty: the machine's roots.
  std::string ca_file;
  // Value of the groups claim -> user groups here. Never empty.
  std::map<std::string, std::vector<std::string>> groups;

  // User groups of who has these values, sorted, each once.
  std::vector<std::string> GroupsOf(const std::vector<std::string>& claimed) const;
};

// Reads the file and that of the client's secret. InvalidArgument with all problems, as
// `file:line:column: error: ...`; PermissionDenied when others may write the file, or read the
// secret; else as base::ReadFile.
absl::StatusOr<Settings> LoadSettings(const std::string& path);

}  // namespace fairlead::access::oidc
