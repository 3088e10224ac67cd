#include "base/status.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

absl::Status FailWith(absl::string_view context) {
  RETURN_IF_ERROR(absl::NotFoundError("no such thing"), context);
  return absl::OkStatus();
}

absl::StatusOr<int> AddOne(absl::StatusOr<int> value) {
  ASSIGN_OR_RETURN(const int got, value, "adding");
  return got + 1;
}

TEST(StatusTest, MacrosAddContextOnce) {
  EXPECT_EQ(FailWith("stack \"web\"").message(), "stack \"web\": no such thing");
  EXPECT_EQ(FailWith("").message(), "no such thing");
  EXPECT_EQ(*AddOne(1), 2);
  EXPECT_EQ(AddOne(absl::AbortedError("x")).status(), absl::AbortedError("adding: x"));
}

TEST(StatusTest, OnlyPassingFailuresAreRetryable) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("")));
  EXPECT_TRUE(IsRetryable(absl::DeadlineExceededError("")));
  EXPECT_FALSE(IsRetryable(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
}

TEST(StatusTest, ConnectionFailuresAreKnownByGrpcsWords) {
  EXPECT_TRUE(IsConnectionFailure(""));
  EXPECT_TRUE(IsConnectionFailure("Socket closed"));
  EXPECT_TRUE(IsConnectionFailure("failed to connect to all addresses; last error: UNKNOWN: x"));
  EXPECT_TRUE(IsConnectionFailure("Cancelling all calls"));
  EXPECT_FALSE(IsConnectionFailure("the database is busy"));
  EXPECT_FALSE(IsConnectionFailure("the active controller at c:1 does not answer: Socket closed"));
}

}  // namespace
}  // namespace fairlead::base
