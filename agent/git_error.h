// What git's refusals mean.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::agent {

struct GitFailure {
  // Without user and password.
  std::string url;
  // What was to be found; may be empty.
  std::string branch;
  int exit_code = 0;
  // What git printed to standard error.
  std::string text;
};

// Says what is wrong, with what, and what to do; keeps git's own last words. FailedPrecondition: a
// login that is refused, a host key that is not known, a repository that has moved. NotFound: no
// such repository, branch or submodule. InvalidArgument: a protocol that is not allowed.
// ResourceExhausted: a full disk. Unavailable: the server cannot be reached, or fails.
absl::Status StatusOfGit(const GitFailure& failure);

// A mirror or checkout that a crash has damaged: it can be made anew.
bool IsDamagedRepository(absl::string_view git_error);

}  // namespace fairlead::agent
