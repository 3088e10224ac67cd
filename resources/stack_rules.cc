#include "resources/stack_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "resources/shell_words.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

void AddWrapperFaults(const v1::Stack& stack, std::vector<StackFault>& faults) {
  if (!stack.compose_cmd_wrapper().empty() &&
      !absl::StrContains(stack.compose_cmd_wrapper(), kComposeCommand)) {
    faults.push_back({absl::StrCat("compose_cmd_wrapper does not hold ", kComposeCommand,
                                   ", so compose would never run"),
                      absl::StrCat("write it where the command belongs, such as: sops exec-env "
                                   "secrets.env '",
                                   kComposeCommand, "'")});
  }
  const std::vector<std::string> known(std::begin(kWrappable), std::end(kWrappable));
  for (const std::string& command : stack.compose_cmd_wrapper_include()) {
    if (std::find(known.begin(), known.end(), command) != known.end()) continue;
    const std::string hint = DidYouMean(command, known);
    faults.push_back({absl::StrCat("compose_cmd_wrapper_include: \"", command,
                                   "\" is no compose command that can be wrapped"),
                      hint.empty() ? absl::StrCat("use ", absl::StrJoin(known, ", ")) : hint});
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WordsOf(
    const google::protobuf::RepeatedPtrField<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& argument : arguments) {
    ASSIGN_OR_RETURN(std::vector<std::string> more, SplitShellWords(argument));
    std::move(more.begin(), more.end(), std::back_inserter(words));
  }
  return words;
}

std::vector<StackFault> FindStackFaults(const v1::Stack& stack) {
  std::vector<StackFault> faults;
  for (const auto& [field, arguments] :
       {std::make_pair("extra_args", &stack.extra_args()),
        std::make_pair("build_extra_args", &stack.build_extra_args())}) {
    const absl::Status split = WordsOf(*arguments).status();
    if (!split.ok()) faults.push_back({absl::StrCat(field, ": ", split.message()), ""});
  }
  AddWrapperFaults(stack, faults);
  return faults;
}

}  // namespace fairlead::resources
