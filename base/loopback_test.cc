#include "base/loopback.h"

#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

TEST(LoopbackTest, HostsOfThisMachine) {
  for (const absl::string_view host :
       {"localhost", "127.0.0.1", "127.255.0.7", "::1", "[::1]", "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1", "[::ffff:127.9.9.9]", "[::ffff:7f00:1]"}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
    EXPECT_TRUE(IsLoopbackAddress(host)) << host;
  }
}

TEST(LoopbackTest, OtherHosts) {
  for (const absl::string_view host : {"",
                                       "example.org",
                                       "localhost.example.org",
                                       "127.example.org",
                                       "127.0.0.1.example.org",
                                       "127.0.0.1@example.org",
                                       "10.0.0.1",
                                       "126.0.0.1",
                                       "128.0.0.1",
                                       "0.0.0.0",
                                       "127",
                                       "127.1",
                                       "127.0.0.1.1",
                                       "127.0.0.256",
                                       "::",
                                       "::2",
                                       "[::]",
                                       "[::2]",
                                       "[::1",
                                       "::1]",
                                       "[]",
                                       "[",
                                       "[localhost]",
                                       "[127.0.0.1]",
                                       "[::1].example.org",
                                       "::ffff:10.0.0.1",
                                       "::127.0.0.1",
                                       "64:ff9b::127.0.0.1",
                                       "1::1",
                                       " 127.0.0.1",
                                       "unix"}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
    EXPECT_FALSE(IsLoopbackAddress(host)) << host;
  }
}

TEST(LoopbackTest, AddressesOfThisMachine) {
  for (const absl::string_view address :
       {"127.0.0.1:7400", "127.1.2.3:1", "localhost:7400", "localhost:", "[::1]:7400",
        "[::ffff:127.0.0.1]:7400", "unix:/run/fairlead.sock", "unix:run.sock",
        "unix-abstract:fairlead"}) {
    EXPECT_TRUE(IsLoopbackAddress(address)) << address;
  }
}

TEST(LoopbackTest, OtherAddresses) {
  for (const absl::string_view address :
       {":7400", ":", "10.0.0.1:7400", "0.0.0.0:7400", "example.org:7400", "127.example.org:7400",
        "localhost.example.org:7400", "[::2]:7400", "[::]:7400", "[::1]7400", "[:", "[::1",
        "[::1].example.org:7400", "[::1]:7400:1", "127.0.0.1:7400:1", "::1:7400",
        "localhost:80:example.org", "example.org:127.0.0.1", "*:7400"}) {
    EXPECT_FALSE(IsLoopbackAddress(address)) << address;
  }
}

TEST(LoopbackTest, AHostIsNoAddress) {
  for (const absl::string_view address :
       {"127.0.0.1:7400", "localhost:7400", "[::1]:7400", "unix:/run/fairlead.sock"}) {
    EXPECT_FALSE(IsLoopbackHost(address)) << address;
  }
}

}  // namespace
}  // namespace fairlead::base
