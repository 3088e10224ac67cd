#include "base/connection_failure.h"

#include <array>
#include <cstddef>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace fairlead::base {

bool IsConnectionFailure(absl::string_view message) {
  constexpr std::array<absl::string_view, 8> kWords = {"failed to connect",
                                                       "connections to all backends",
                                                       "socket closed",
                                                       "dns resolution",
                                                       "connection reset",
                                                       "handshake",
                                                       "goaway",
                                                       "cancelling all calls"};
  // It cites gRPC, but somebody has answered.
  if (absl::StartsWith(message, kActiveController)) return false;
  const std::string lower = absl::AsciiStrToLower(message);
  for (const absl::string_view word : kWords) {
    if (absl::StrContains(lower, word)) return true;
  }
  return message.empty();
}

absl::string_view LastCause(absl::string_view message) {
  const std::size_t colon = message.rfind(": ");
  return colon == absl::string_view::npos ? message : message.substr(colon + 2);
}

}  // namespace fairlead::base
