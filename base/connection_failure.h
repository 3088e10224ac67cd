// Tells why a call over gRPC failed.
#pragma once

#include "absl/strings/string_view.h"

namespace fairlead::base {

// How a standby begins when the active controller does not answer it.
inline constexpr char kActiveController[] = "the active controller at ";

// True for gRPC's own words about a connection that does not come to be or breaks; what Fairlead
// says itself has none of them.
bool IsConnectionFailure(absl::string_view message);

// The last part of such words, which says most: "Connection refused" of "failed to connect to all
// addresses; last error: UNKNOWN: ipv4:127.0.0.1:7400: Failed to connect to remote host: Connection
// refused".
absl::string_view LastCause(absl::string_view message);

}  // namespace fairlead::base
