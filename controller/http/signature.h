// Whether a webhook comes from somebody who knows the secret.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::http {

// `hex` is the HMAC-SHA256 of `body` under `secret`; hexadecimal digits of either case.
bool IsSignatureOf(absl::string_view hex, absl::string_view body, absl::string_view secret);

// Takes the same time wherever they differ, also in length.
bool IsSameSecret(absl::string_view given, absl::string_view secret);

}  // namespace fairlead::http
