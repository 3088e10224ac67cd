// The only list of what can be wrong with resource files.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// One class of problems. Codes are a promise to those who read them by program: none is renamed.
struct ProblemCode {
  absl::string_view code;
  // One line, lower case, without a full stop.
  absl::string_view meaning;
};

// A file that is a symbolic link; the reader never sees it.
inline constexpr char kSymbolicLinkCode[] = "symbolic-link";
// A file of secrets; the reader never sees it either.
inline constexpr char kEncryptedFileCode[] = "encrypted-file";

// In order of code.
const std::vector<ProblemCode>& ProblemCodes();

// Place in ProblemCodes; its size when there is none.
std::size_t IndexOfProblemCode(absl::string_view code);

}  // namespace fairlead::resources
