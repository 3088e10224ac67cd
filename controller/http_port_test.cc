#include "controller/http_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::controller {
namespace {

TEST(HttpPortTest, IsWhereItIsSaidAndAsLargeAsTheLimits) {
  Limits limits;
  limits.http_connections = 7;
  limits.http_connections_per_address = 3;
  const auto options = HttpPortOptions("10.0.0.1:7401", limits);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->address, "10.0.0.1");
  EXPECT_EQ(options->port, 7401);
  EXPECT_EQ(options->connections.total, 7u);
  EXPECT_EQ(options->connections.per_address, 3u);
}

TEST(HttpPortTest, LocalhostIsANumber) {
  EXPECT_EQ(HttpPortOptions("localhost:0", {})->address, "127.0.0.1");
  EXPECT_EQ(HttpPortOptions(":7401", {})->address, "");
}

TEST(HttpPortTest, OtherTextsAreQuoted) {
  for (const std::string listen : {"", "7401", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http",
                                   "127.0.0.1:65536", "127.0.0.1:-1"}) {
    const absl::Status status = HttpPortOptions(listen, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << listen;
    EXPECT_THAT(status.message(), ::testing::HasSubstr("--http-listen: \"" + listen + "\""));
  }
}

}  // namespace
}  // namespace fairlead::controller
