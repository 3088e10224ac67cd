#include "controller/accounts/accounts.h"

#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "resources/field_defaults.h"
#include "resources/image_reference.h"
#include "resources/settings_file.h"

namespace fairlead::controller {
namespace {

constexpr std::size_t kLargestSecret = 64u << 10;

std::string Normalised(absl::string_view domain) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(domain));
}

// Two names of one registry are one.
std::string RegistryName(absl::string_view domain) {
  std::string name = Normalised(domain);
  return name == "index.docker.io" ? resources::kDefaultRegistry : name;
}

// `Entry` is v1::GitAccount or v1::RegistryAccount of a file in `folder`.
template <typename Entry>
absl::StatusOr<v1::Login> ReadLogin(const std::string& folder, const std::string& domain,
                                    const Entry& entry) {
  v1::Login login;
  login.set_domain(Normalised(domain));
  login.set_username(entry.username());
  login.set_secret(entry.token());
  if (!entry.token_file().empty()) {
    ASSIGN_OR_RETURN(
        const std::string token,
        base::ReadPrivateFile(resources::PathBeside(folder, entry.token_file()), kLargestSecret));
    login.set_secret(std::string(absl::StripAsciiWhitespace(token)));
  }
  return login;
}

std::pair<std::string, std::string> KeyOf(const v1::Login& login) {
  return {login.domain(), login.username()};
}

absl::Status StandsTwice(const std::string& path,
                         const std::pair<std::string, std::string>& account) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": account \"", account.second, "\" of ",
                                                 account.first,
                                                 " stands twice; leave one of them"));
}

absl::Status Misses(absl::string_view what, absl::string_view domain, absl::string_view account) {
  return absl::NotFoundError(absl::StrCat(
      "account \"", account, "\" of the ", what, " ", domain,
      " is not known to the controller; add it to the file of --accounts and restart"));
}

}  // namespace

absl::StatusOr<Accounts> Accounts::Load(const std::string& path) {
  v1::AccountsFile file;
  RETURN_IF_ERROR(resources::ReadPrivateSettingsFile(path, &file));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Accounts accounts;
  for (const v1::GitProviderAccounts& provider : file.git_providers()) {
    for (const v1::GitAccount& entry : provider.accounts()) {
      GitAccess access;
      ASSIGN_OR_RETURN(access.login, ReadLogin(folder, provider.domain(), entry));
      if (!entry.ssh_key_file().empty()) {
        ASSIGN_OR_RETURN(access.ssh_key,
                         base::ReadPrivateFile(resources::PathBeside(folder, entry.ssh_key_file()),
                                               kLargestSecret));
      }
      if (!entry.known_hosts_file().empty()) {
        ASSIGN_OR_RETURN(access.known_hosts,
                         base::ReadFile(resources::PathBeside(folder, entry.known_hosts_file())));
      }
      const Key key = KeyOf(access.login);
      if (!accounts.git_.emplace(key, std::move(access)).second) return StandsTwice(path, key);
    }
  }
  for (const v1::RegistryAccounts& registry : file.docker_registries()) {
    for (const v1::RegistryAccount& entry : registry.accounts()) {
      ASSIGN_OR_RETURN(v1::Login login, ReadLogin(folder, RegistryName(registry.domain()), entry));
      const Key key = KeyOf(login);
      if (!accounts.registries_.emplace(key, std::move(login)).second) {
        return StandsTwice(path, key);
      }
    }
  }
  return accounts;
}

absl::StatusOr<GitAccess> Accounts::FindGit(absl::string_view domain,
                                            absl::string_view account) const {
  if (account.empty()) return GitAccess();
  const auto found = git_.find({Normalised(domain), std::string(account)});
  if (found == git_.end()) return Misses("git server", domain, account);
  return found->second;
}

absl::StatusOr<v1::Login> Accounts::FindRegistry(absl::string_view domain,
                                                 absl::string_view account) const {
  if (account.empty()) return v1::Login();
  const auto found = registries_.find({RegistryName(domain), std::string(account)});
  if (found == registries_.end()) return Misses("registry", domain, account);
  return found->second;
}

std::vector<std::string> Accounts::Secrets() const {
  std::vector<std::string> secrets;
  const auto add = [&secrets](const std::string& secret) {
    if (!secret.empty()) secrets.push_back(secret);
  };
  for (const auto& [key, access] : git_) {
    add(access.login.secret());
    add(access.ssh_key);
  }
  for (const auto& [key, login] : registries_) add(login.secret());
  return secrets;
}

}  // namespace fairlead::controller
