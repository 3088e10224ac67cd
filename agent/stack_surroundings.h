// What surrounds all calls of compose for one stack: logins, profiles and the wrapper.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/compose_command.h"
#include "agent/login_folder.h"
#include "agent/stack_folder.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct StackSurroundings {
  ComposeSurroundings calls;
  // extra_args without the profiles, for `up`.
  std::vector<std::string> up_arguments;
};

// Writes the stack's logins into `logins`, which outlives the calls. FailedPrecondition when the
// wrapper cannot be put around calls from this folder.
absl::StatusOr<StackSurroundings> SurroundingsOf(const v1::ApplyStack& stack,
                                                 const StackFolder& folder, LoginFolder& logins);

}  // namespace fairlead::agent
