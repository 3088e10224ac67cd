// Tells why a call over gRPC failed.
#pragma once

#include "absl/strings/string_view.h"

namespace fairlead::base {

// How a standby begins when the active controller does not answer it.
inline constexpr char kActiveController[] = "the active controller at ";

// True for gRPC's own words about a connection that does not come to be or breaks; what Fairlead
// says itself has none of them.
bool IsConnectionFailure(absl::string_view message);

}  // namespace fairlead::base
