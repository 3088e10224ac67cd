#include "controller/loop/git_login.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "sync/git/url.h"

namespace fairlead::loop {

absl::StatusOr<std::string> UrlWithLogin(const controller::Accounts* accounts,
                                         const std::string& url, absl::string_view account) {
  if (account.empty()) return url;
  static const auto* const kNone = new controller::Accounts();
  const std::string domain = git::DomainOf(url);
  ASSIGN_OR_RETURN(const controller::GitAccess access,
                   (accounts == nullptr ? *kNone : *accounts).FindGit(domain, account),
                   "git_account");
  const std::string bare = git::SplitCredentials(url).url;
  const bool is_http =
      absl::StartsWithIgnoreCase(bare, "http://") || absl::StartsWithIgnoreCase(bare, "https://");
  if (is_http && !access.login.secret().empty()) {
    return git::WithLogin(url, access.login.username(), access.login.secret());
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "git_account: \"", account, "\" at ", domain,
      is_http ? " has no token, which an http address needs"
              : " is not used: the controller opens ssh addresses with FAIRLEAD_SSH_KEY, an ssh "
                "agent or ~/.ssh; give an https address, or leave git_account out"));
}

}  // namespace fairlead::loop
