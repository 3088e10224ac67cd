#include "controller/loop/git_login.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "sync/git/url.h"

namespace fairlead::loop {

absl::Status AddAddress(const controller::Accounts* accounts, const std::string& url,
                        absl::string_view account, git::FetchRequest* request) {
  request->url = url;
  if (account.empty()) return absl::OkStatus();
  static const auto* const kNone = new controller::Accounts();
  const std::string domain = git::DomainOf(url);
  ASSIGN_OR_RETURN(const controller::GitAccess access,
                   (accounts == nullptr ? *kNone : *accounts).FindGit(domain, account),
                   "git_account");
  const std::string bare = git::SplitCredentials(url).url;
  const bool is_http =
      absl::StartsWithIgnoreCase(bare, "http://") || absl::StartsWithIgnoreCase(bare, "https://");
  if (is_http && !access.login.secret().empty()) {
    request->url = git::WithLogin(url, access.login.username(), access.login.secret());
    return absl::OkStatus();
  }
  if (!is_http && !access.ssh_key.empty()) {
    request->ssh_key = access.ssh_key;
    request->known_hosts = access.known_hosts;
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "git_account: \"", account, "\" at ", domain,
      is_http ? " has no token, which an http address needs: add token or token_file to the account"
              : " has no key, which an ssh address needs: add ssh_key_file to the account"));
}

}  // namespace fairlead::loop
