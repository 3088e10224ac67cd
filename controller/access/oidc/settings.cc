#include "controller/access/oidc/settings.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "controller/access/oidc/http_client.h"
#include "fairlead/v1/oidc.pb.h"
#include "resources/field_defaults.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"

namespace fairlead::access::oidc {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestSecret = 4096;

absl::StatusOr<v1::OidcFile> ReadSettings(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, resources::kLargestFile));
  v1::OidcFile file;
  file.CopyFrom(resources::DefaultsOf(v1::OidcFile::descriptor(), v1::DIALECT_TOML));
  std::string problems;
  for (const v1::Problem& problem : resources::ReadTomlSettings(path, content, &file)) {
    if (problem.severity() == v1::SEVERITY_ERROR) {
      absl::StrAppend(&problems, resources::FormatProblem(problem));
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(problems);
  // Whoever may write it decides who is let in.
  std::error_code failed;
  const fs::perms mode = fs::status(path, failed).permissions();
  if ((mode & (fs::perms::group_write | fs::perms::others_write)) != fs::perms::none) {
    return absl::PermissionDeniedError(absl::StrCat(
        path, ": others may write this file, which says who logs in; run: chmod go-w ", path));
  }
  return file;
}

std::string PathBeside(const std::string& folder, const std::string& path) {
  return path.empty() ? path : (fs::path(folder) / path).lexically_normal().string();
}

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
  ASSIGN_OR_RETURN(const v1::OidcFile file, ReadSettings(path));
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
  const std::string folder = fs::path(path).parent_path().string();
  settings.ca_file = PathBeside(folder, file.ca_file());
  if (!file.client_secret_file().empty()) {
    ASSIGN_OR_RETURN(
        const std::string secret,
        base::ReadPrivateFile(PathBeside(folder, file.client_secret_file()), kLargestSecret),
        absl::StrCat(path, ": client_secret_file"));
    settings.client_secret = std::string(absl::StripAsciiWhitespace(secret));
  }
  return settings;
}

}  // namespace fairlead::access::oidc
