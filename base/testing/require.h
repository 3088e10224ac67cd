// What a fuzz target holds to be true.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "absl/strings/string_view.h"

namespace fairlead::base {

// Prints what is broken, with the input that shows it, and aborts.
inline void Require(bool holds, absl::string_view what, absl::string_view input) {
  if (holds) return;
  std::fprintf(stderr, "broken: %.*s\n---\n%.*s\n---\n", static_cast<int>(what.size()), what.data(),
               static_cast<int>(input.size()), input.data());
  std::abort();
}

}  // namespace fairlead::base
