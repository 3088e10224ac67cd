// Status macros and the one judge of what may be tried again.
//
// What codes mean is fixed (docs/architecture.md): InvalidArgument: the user's file is wrong.
// FailedPrecondition: not now. NotFound: a referenced thing is missing. Unavailable,
// DeadlineExceeded, Aborted, ResourceExhausted: try again with backoff. Internal: our bug.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

// True when the same call may succeed later without anybody changing anything.
bool IsRetryable(const absl::Status& status);
bool IsRetryable(absl::StatusCode code);

// How a standby begins when the active controller does not answer it.
inline constexpr char kActiveController[] = "the active controller at ";

// True for gRPC's own words about a connection that does not come to be or breaks; what Fairlead
// says itself has none of them.
bool IsConnectionFailure(absl::string_view message);

// `status` with "context: " before its message; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

// errno as a status: what was attempted, on what, and the cause.
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace fairlead::base

#define FAIRLEAD_CONCAT_INNER(a, b) a##b
#define FAIRLEAD_CONCAT(a, b) FAIRLEAD_CONCAT_INNER(a, b)

// RETURN_IF_ERROR(status) or RETURN_IF_ERROR(status, "context").
#define RETURN_IF_ERROR(expr, ...)                                                        \
  do {                                                                                    \
    if (absl::Status status_macro_ = (expr); !status_macro_.ok()) [[unlikely]] {          \
      return ::fairlead::base::Annotate(status_macro_, ::absl::string_view(__VA_ARGS__)); \
    }                                                                                     \
  } while (false)

// ASSIGN_OR_RETURN(auto x, StatusOrExpression) or with a context as third argument.
#define ASSIGN_OR_RETURN(lhs, expr, ...) \
  ASSIGN_OR_RETURN_INNER(FAIRLEAD_CONCAT(status_or_macro_, __LINE__), lhs, expr, __VA_ARGS__)
#define ASSIGN_OR_RETURN_INNER(temporary, lhs, expr, ...)                                    \
  auto temporary = (expr);                                                                   \
  if (!temporary.ok()) [[unlikely]] {                                                        \
    return ::fairlead::base::Annotate(temporary.status(), ::absl::string_view(__VA_ARGS__)); \
  }                                                                                          \
  lhs = std::move(temporary).value()
