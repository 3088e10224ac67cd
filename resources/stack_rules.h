// What is wrong with a stack beyond its single fields.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"

#include "fairlead/v1/stack.pb.h"

namespace fairlead::resources {

// Compose commands that a wrapper can be put around.
inline constexpr absl::string_view kWrappable[] = {"config", "build", "pull", "up", "run"};

// In compose_cmd_wrapper the place of the command.
inline constexpr absl::string_view kComposeCommand = "[[COMPOSE_COMMAND]]";

struct StackFault {
  std::string message;
  // May be empty.
  std::string suggestion;
};

// Arguments that cannot be split into words, a wrapper without the command, commands that cannot
// be wrapped. Values do not appear. Requires: interpolated.
std::vector<StackFault> FindStackFaults(const v1::Stack& stack);

// The words of a list of arguments, each of whose elements may hold several, as a shell splits
// them. InvalidArgument for a quote without its end.
absl::StatusOr<std::vector<std::string>> WordsOf(
    const google::protobuf::RepeatedPtrField<std::string>& arguments);

}  // namespace fairlead::resources
