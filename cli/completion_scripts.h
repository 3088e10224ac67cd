// Completion for shells.
#pragma once

#include "absl/strings/string_view.h"

namespace fairlead::cli {

// Of "bash", "zsh" or "fish"; empty for another one. Commands stand in the script; kinds and
// names are asked from `fairlead __complete`.
absl::string_view CompletionScript(absl::string_view shell);

}  // namespace fairlead::cli
