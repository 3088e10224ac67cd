// The body of a push notification, as GitHub, GitLab and Gitea send it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::http {

struct PushEvent {
  // "refs/heads/main"; empty when the body names none.
  std::string ref;
  // The new commit, 40 hexadecimal digits; empty when it names none or the branch was removed.
  std::string commit;
  // Files that changed; nullopt when the body does not tell all of them.
  std::optional<std::vector<std::string>> changed;
};

// InvalidArgument when `json` is not a JSON object. Unexpected types of single fields count as
// absent: forges differ.
absl::StatusOr<PushEvent> ParsePushEvent(absl::string_view json);

}  // namespace fairlead::http
