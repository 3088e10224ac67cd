#include "controller/access/oidc/settings.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "controller/access/oidc/http_client.h"
#include "fairlead/v1/oidc.pb.h"
#include "resources/field_defaults.h"
#include "resources/settings_file.h"

namespace fairlead::access::oidc {
namespace {

constexpr std::size_t kLargestSecret = 4096;

std::string ScopeOf(const v1::OidcFile& file) {
  std::string scope = "openid";
  if (file.scopes().empty()) absl::StrAppend(&scope, " profile");
  for (const std::string& each : file.scopes()) {
    if (each != "openid") absl::StrAppend(&scope, " ", each);
  }
  return scope;
}

}  // namespace

std::vector<std::string> Settings::GroupsOf(const std::vector<std::string>& claimed) const {
  std::set<std::string> found;
  for (const std::string& claim : claimed) {
    const auto mapped = groups.find(claim);
    if (mapped != groups.end()) found.insert(mapped->second.begin(), mapped->second.end());
  }
  return {found.begin(), found.end()};
}

absl::StatusOr<Settings> LoadSettings(const std::string& path) {
  v1::OidcFile file;
  file.CopyFrom(resources::DefaultsOf(v1::OidcFile::descriptor(), v1::DIALECT_TOML));
  RETURN_IF_ERROR(resources::ReadSettingsFile(path, "who logs in", &file));
  if (!IsSafeUrl(file.issuer()) || absl::StrContains(file.issuer(), '?') ||
      absl::StrContains(file.issuer(), '#')) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": issuer \"", file.issuer(),
                     "\" must be an address that begins with https:// (http:// only on this "
                     "machine), without \"?\" and \"#\""));
  }
  if (file.groups().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": no [[group]] says which groups of the provider are let in, and as "
                     "which user_group; add: [[group]] claim = \"...\" group = \"...\""));
  }
  Settings settings{.issuer = file.issuer(),
                    .client_id = file.client_id(),
                    .scope = ScopeOf(file),
                    .username_claim = file.username_claim(),
                    .groups_claim = file.groups_claim(),
                    .audiences = {file.audiences().begin(), file.audiences().end()}};
  for (const v1::OidcGroup& each : file.groups()) {
    settings.groups[each.claim()].push_back(each.group());
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  settings.ca_file = resources::PathBeside(folder, file.ca_file());
  if (!file.client_secret_file().empty()) {
    ASSIGN_OR_RETURN(const std::string secret,
                     base::ReadPrivateFile(resources::PathBeside(folder, file.client_secret_file()),
                                           kLargestSecret),
                     absl::StrCat(path, ": client_secret_file"));
    settings.client_secret = std::string(absl::StripAsciiWhitespace(secret));
  }
  return settings;
}

}  // namespace fairlead::access::oidc
