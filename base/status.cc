#include "base/status.h"

#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::base {

bool IsRetryable(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

bool IsRetryable(const absl::Status& status) { return IsRetryable(status.code()); }

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

absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok() || context.empty()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

absl::Status ErrnoStatus(int error, absl::string_view what) {
  return absl::ErrnoToStatus(error, what);
}

}  // namespace fairlead::base
