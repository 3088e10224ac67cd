// Steps of a Dockerfile in what a build prints.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "agent/transfer_progress.h"

namespace fairlead::agent {

// "step 4/11: RUN make" of a line with which a step begins, by the classic builder ("Step 4/11 :
// RUN make") or by BuildKit ("#9 [web 4/11] RUN make", which says "step 4/11 of web: RUN make").
// Nothing of any other line.
std::optional<std::string> BuildStepOf(absl::string_view line);

// Follows a build by what it prints: its steps, and the layers of the image that one begins from,
// as far as the builder tells of them (the classic one does). Confined to one thread.
class BuildSteps {
 public:
  // The step, then a line for each layer under way; nothing when the line changes nothing.
  std::optional<std::string> Add(absl::string_view line);

 private:
  std::string step_;
  bool may_pull_ = false;
  TransferProgress layers_;
};

}  // namespace fairlead::agent
