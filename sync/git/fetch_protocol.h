// What Fetch and its child say to each other; for the files of this folder only.
#pragma once

namespace fairlead::git {

inline constexpr char kFetchHelperFlag[] = "--fetch-helper";
// User part of the address: the environment, unlike the command line, is private.
inline constexpr char kUserInfoVariable[] = "FAIRLEAD_FETCH_USER_INFO";
// Exit code of a failure: this plus absl::StatusCode. The message is the first line of output.
inline constexpr int kExitCodeBase = 64;

}  // namespace fairlead::git
