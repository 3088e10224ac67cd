#include "base/connection_failure.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(ConnectionFailureTest, AreKnownByGrpcsWords) {
  EXPECT_TRUE(IsConnectionFailure(""));
  EXPECT_TRUE(IsConnectionFailure("Socket closed"));
  EXPECT_TRUE(IsConnectionFailure("failed to connect to all addresses; last error: UNKNOWN: x"));
  EXPECT_TRUE(IsConnectionFailure("Cancelling all calls"));
  EXPECT_FALSE(IsConnectionFailure("the database is busy"));
  EXPECT_FALSE(IsConnectionFailure(
      "the active controller at a:1 does not answer (failed to connect to all addresses)"));
}

TEST(ConnectionFailureTest, TheLastCauseIsThePartBehindTheLastColon) {
  EXPECT_EQ(LastCause("failed to connect to all addresses; last error: UNKNOWN: "
                      "ipv4:127.0.0.1:7400: Failed to connect to remote host: Connection refused"),
            "Connection refused");
  EXPECT_EQ(LastCause("Socket closed"), "Socket closed");
  EXPECT_EQ(LastCause(""), "");
}

}  // namespace
}  // namespace fairlead::base
