// Passwords of local users: argon2id.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::access {

// InvalidArgument when it is too short or too long to be one.
absl::Status CheckPasswordForm(absl::string_view password);

// With parameters and salt, as text. Takes about 0.1 s and 64 MiB. ResourceExhausted without
// memory.
absl::StatusOr<std::string> HashPassword(absl::string_view password);

// As slow as HashPassword. An empty hash fits nothing, and takes as long.
bool IsPasswordOf(absl::string_view password, const std::string& hash);

}  // namespace fairlead::access
