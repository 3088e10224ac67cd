// What Fetch and its child say to each other; for the files of this folder only.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "sync/git/url.h"

namespace fairlead::git {

inline constexpr char kFetchHelperFlag[] = "--fetch-helper";
// User part of the address: the environment, unlike the command line, is private.
inline constexpr char kUserInfoVariable[] = "FAIRLEAD_FETCH_USER_INFO";
// The same of a request's ssh key and known hosts.
inline constexpr char kSshKeyVariable[] = "FAIRLEAD_FETCH_SSH_KEY";
inline constexpr char kKnownHostsVariable[] = "FAIRLEAD_FETCH_KNOWN_HOSTS";
// Exit code of a failure: this plus absl::StatusCode. The message is the first line of output.
inline constexpr int kExitCodeBase = 64;

// What the child's end means. Nothing a server says carries a credential into the message.
absl::Status StatusOfExit(int exit_code, absl::string_view output, const SplitUrl& url);

// What the caller is told when a child had to be ended, or could not run.
absl::Status StatusOfEnd(const absl::Status& status, const SplitUrl& url, absl::Duration timeout);

}  // namespace fairlead::git
