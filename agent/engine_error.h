// What the engine's refusals mean.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::agent {

// The status of an HTTP answer; `body` is {"message": "..."} or plain text. OK for 2xx and for
// 304 (it was so already). NotFound 404, AlreadyExists 409 of a name, FailedPrecondition any
// other 409, a port that is taken, a mount or runtime that refuses, InvalidArgument 400,
// ResourceExhausted a full disk, else Unavailable.
absl::Status StatusOfAnswer(unsigned http_status, absl::string_view body);

// The status of an error line within a stream of a push. FailedPrecondition for a login that is
// refused and for a registry without TLS; Unavailable for one that is overloaded, fails or breaks
// off.
absl::Status StatusOfPushError(absl::string_view message);

// The status of an error line within a stream of a pull.
absl::Status StatusOfPullError(absl::string_view message);

}  // namespace fairlead::agent
