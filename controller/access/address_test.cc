#include "controller/access/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::access {
namespace {

TEST(AddressTest, PeersLoseTheirPort) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.7:41234"), "10.0.0.7");
  EXPECT_EQ(AddressOfPeer("ipv6:%5B2001:db8::1%5D:80"), "2001:db8::1");
  EXPECT_EQ(AddressOfPeer("ipv6:[::1]:80"), "::1");
  EXPECT_EQ(AddressOfPeer("unix:/run/a.sock"), "unix");
  EXPECT_EQ(AddressOfPeer("unix:"), "unix");
  EXPECT_EQ(AddressOfPeer("strange"), "strange");
}

TEST(NetworkTest, ContainsWhatHasTheSameFirstBits) {
  struct Case {
    std::string network;
    std::string address;
    bool expected;
  };
  for (const Case& each : {
           Case{"10.0.0.0/8", "10.255.0.1", true},
           Case{"10.0.0.0/8", "11.0.0.1", false},
           Case{"10.0.0.0/8", "::ffff:10.0.0.1", true},
           Case{"192.168.1.128/25", "192.168.1.129", true},
           Case{"192.168.1.128/25", "192.168.1.127", false},
           Case{"127.0.0.1", "127.0.0.1", true},
           Case{"127.0.0.1", "127.0.0.2", false},
           Case{"0.0.0.0/0", "8.8.8.8", true},
           Case{"0.0.0.0/0", "2001:db8::1", false},
           Case{"2001:db8::/33", "2001:db8:7fff::1", true},
           Case{"2001:db8::/33", "2001:db8:8000::1", false},
           Case{"::/0", "10.0.0.1", true},
           Case{"10.0.0.0/8", "unix", false},
           Case{"10.0.0.0/8", "", false},
       }) {
    const auto network = Network::Parse(each.network);
    ASSERT_TRUE(network.ok()) << network.status();
    EXPECT_EQ(network->Contains(each.address), each.expected)
        << each.network << " " << each.address;
  }
}

TEST(SiteTest, OfIpv6IsTheFirstHalf) {
  EXPECT_EQ(SiteOf("2001:db8:0:7:1:2:3:4"), "2001:db8:0:7::");
  for (const std::string text : {"10.0.0.1", "::ffff:10.0.0.1", "unix", ""}) {
    EXPECT_EQ(SiteOf(text), text);
  }
}

TEST(NetworkTest, WhatIsNoneIsQuoted) {
  for (const std::string text :
       {"", "10.0.0.0/33", "10.0.0.0/x", "10.0.0/8", "::/129", "a", "/8"}) {
    const auto network = Network::Parse(text);
    EXPECT_EQ(network.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(network.status().message(), ::testing::HasSubstr("\"" + text + "\""));
  }
}

}  // namespace
}  // namespace fairlead::access
