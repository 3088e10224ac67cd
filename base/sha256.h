// The hash that files and protocols name.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::base {

// SHA-256 of `bytes`: 32 bytes. Not for passwords.
std::string Sha256(absl::string_view bytes);

}  // namespace fairlead::base
