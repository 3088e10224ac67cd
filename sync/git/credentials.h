// Answers libgit2's questions for credentials, each answer once; for the files of this folder
// only.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "sync/git/libgit2.h"

namespace fairlead::git {

// Lives as long as the connection. Confined to its thread. Tries what there is in a fixed order
// and then refuses with a message that says what to set, so that a server that keeps asking does
// not keep the fetch alive.
class Credentials {
 public:
  // `user_info` as in SplitUrl, from an address of `url`; `ssh_key` as in FetchRequest.
  Credentials(absl::string_view url, absl::string_view user_info, std::string ssh_key);

  // For git_remote_callbacks::credentials, with a Credentials* as payload.
  static int Acquire(git_credential** out, const char* url, const char* user_from_url,
                     unsigned allowed, void* payload);

  // Credentials were asked for and none was left.
  bool refused() const { return refused_; }

 private:
  struct UserAndPassword {
    std::string user;
    std::string password;
  };
  int NextPassword(git_credential** out, absl::string_view asked_url);
  int NextKey(git_credential** out, const std::string& user);
  int Refuse(absl::string_view message);

  const std::string host_;
  std::string user_;
  // PEM; empty: `keys_` are used.
  const std::string own_key_;
  bool own_key_was_tried_ = false;
  // Not yet tried, last first.
  std::vector<UserAndPassword> passwords_;
  // Private key files; empty stands for the agent.
  std::vector<std::string> keys_;
  bool refused_ = false;
};

}  // namespace fairlead::git
