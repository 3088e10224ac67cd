#include "sync/git/credentials.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "sync/git/url.h"

namespace fairlead::git {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// "scheme://host:port", to tell whether a redirect has led to another server.
std::string HostOf(absl::string_view url) {
  const std::string bare = SplitCredentials(url).url;
  const std::size_t scheme = bare.find("://");
  if (scheme == std::string::npos) return bare.substr(0, bare.find(':'));
  return absl::AsciiStrToLower(bare.substr(0, bare.find('/', scheme + 3)));
}

// Only servers that the operator names get the token that is not bound to an address.
bool TakesToken(absl::string_view url) {
  const std::string domain = DomainOf(url);
  for (const absl::string_view allowed :
       absl::StrSplit(Variable("FAIRLEAD_GIT_DOMAINS"), absl::ByAnyChar(", "), absl::SkipEmpty())) {
    if (absl::AsciiStrToLower(allowed) == domain) return true;
  }
  return false;
}

}  // namespace

Credentials::Credentials(absl::string_view url, absl::string_view user_info, std::string ssh_key)
    : host_(HostOf(url)), own_key_(std::move(ssh_key)) {
  if (const std::string token = Variable("FAIRLEAD_GIT_TOKEN"); !token.empty() && TakesToken(url)) {
    const std::string user = Variable("FAIRLEAD_GIT_USER");
    passwords_.push_back({user.empty() ? "git" : user, token});
  }
  if (!user_info.empty()) {
    const std::size_t colon = user_info.find(':');
    user_ = DecodePercent(user_info.substr(0, colon));
    // A lone name is a token, as forges print it.
    passwords_.push_back({user_, colon == absl::string_view::npos
                                     ? user_
                                     : DecodePercent(user_info.substr(colon + 1))});
  }
  const std::string home = Variable("HOME");
  for (const char* name : {"id_rsa", "id_ecdsa", "id_ed25519"}) {
    const std::string path = absl::StrCat(home, "/.ssh/", name);
    if (!home.empty() && ::access(path.c_str(), R_OK) == 0) keys_.push_back(path);
  }
  if (!Variable("SSH_AUTH_SOCK").empty()) keys_.emplace_back();
  if (const std::string key = Variable("FAIRLEAD_SSH_KEY"); !key.empty()) keys_.push_back(key);
}

int Credentials::Acquire(git_credential** out, const char* url, const char* user_from_url,
                         unsigned allowed, void* payload) {
  auto& self = *static_cast<Credentials*>(payload);
  std::string user = user_from_url != nullptr ? user_from_url : self.user_;
  if (user.empty()) user = "git";
  if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) {
    return git_credential_username_new(out, user.c_str());
  }
  if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0) return self.NextKey(out, user);
  if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0) return self.NextPassword(out, url);
  return self.Refuse("the server asks for a kind of login that is not supported");
}

int Credentials::NextPassword(git_credential** out, absl::string_view asked_url) {
  // Neither password nor token goes to a server that the address does not name.
  if (passwords_.empty() || HostOf(asked_url) != host_) {
    return Refuse(
        "the repository does not exist, or the login is missing or refused: give git_account, "
        "FAIRLEAD_GIT_TOKEN with FAIRLEAD_GIT_DOMAINS, or https://USER:TOKEN@HOST/...");
  }
  const UserAndPassword next = passwords_.back();
  passwords_.pop_back();
  return git_credential_userpass_plaintext_new(out, next.user.c_str(), next.password.c_str());
}

int Credentials::NextKey(git_credential** out, const std::string& user) {
  if (!own_key_.empty()) {
    if (std::exchange(own_key_was_tried_, true)) {
      return Refuse(
          "the ssh key of the account was not accepted: give its public half to the "
          "server, or look at ssh_key_file in the file of --accounts");
    }
    return git_credential_ssh_key_memory_new(out, user.c_str(), nullptr, own_key_.c_str(), "");
  }
  if (keys_.empty()) {
    return Refuse(
        "no ssh key was accepted: set FAIRLEAD_SSH_KEY to a private key file, or use an ssh agent "
        "or ~/.ssh");
  }
  const std::string key = keys_.back();
  keys_.pop_back();
  if (key.empty()) return git_credential_ssh_key_from_agent(out, user.c_str());
  const std::string public_key = absl::StrCat(key, ".pub");
  const bool has_public = ::access(public_key.c_str(), R_OK) == 0;
  return git_credential_ssh_key_new(out, user.c_str(), has_public ? public_key.c_str() : nullptr,
                                    key.c_str(), Variable("FAIRLEAD_SSH_PASSPHRASE").c_str());
}

int Credentials::Refuse(absl::string_view message) {
  refused_ = true;
  git_error_set_str(GIT_ERROR_CALLBACK, std::string(message).c_str());
  return GIT_EAUTH;
}

}  // namespace fairlead::git
