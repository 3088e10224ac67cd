#include "resources/host_ports.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Ports(const std::string& config) {
  std::vector<std::string> texts;
  for (const HostPort& port : HostPortsOf(ReadDeployment(config))) texts.push_back(port.ToString());
  return texts;
}

TEST(HostPortsTest, ArePublishedOnes) {
  EXPECT_THAT(Ports("ports = \"80:8080, no\\n127.0.0.1:53:53/udp\\n127.0.0.1::90\\n8-9:8-9\""),
              ElementsAre("127.0.0.1:53/udp", "8/tcp", "9/tcp"));
}

TEST(HostPortsTest, WhatCannotBeReadIsLeftOut) {
  EXPECT_THAT(Ports("ports = \"[[PORT]]:80\\n81:81\\n[[MORE]]\""), ElementsAre("81/tcp"));
}

TEST(HostPortsTest, NoneAreTakenByWhatDoesNotRun) {
  EXPECT_THAT(Ports("ports = \"80:80\"\nnetwork = \"host\""), IsEmpty());
  v1::Resource resource = ReadDeployment("ports = \"80:80\"");
  resource.set_state(v1::WANTED_STATE_STOPPED);
  EXPECT_THAT(HostPortsOf(resource), IsEmpty());
}

std::string Conflicts(const std::vector<std::pair<std::string, std::vector<HostPort>>>& resources) {
  std::vector<PortHolder> holders;
  for (const auto& [server, ports] : resources) holders.push_back({server, &ports});
  return absl::StrJoin(FindPortConflicts(holders), " ", [](std::string* out, const auto& conflict) {
    absl::StrAppend(out, conflict.first, "-", conflict.second, ":", conflict.port.ToString());
  });
}

TEST(HostPortsTest, OnePortOfOneServerHasOneHolder) {
  const HostPort web{"", 80, "tcp"};
  EXPECT_EQ(Conflicts({{"edge", {web}}, {"edge", {{"", 81, "tcp"}, web}}}), "0-1:80/tcp");
  EXPECT_EQ(Conflicts({{"edge", {web}}, {"other", {web}}}), "");
  EXPECT_EQ(Conflicts({{"edge", {web}}, {"edge", {{"", 80, "udp"}}}}), "");
}

TEST(HostPortsTest, AddressesKeepPortsApart) {
  const HostPort local{"127.0.0.1", 80, "tcp"};
  EXPECT_EQ(Conflicts({{"edge", {local}}, {"edge", {{"10.0.0.1", 80, "tcp"}}}}), "");
  EXPECT_EQ(Conflicts({{"edge", {local}}, {"edge", {{"0.0.0.0", 80, "tcp"}}}}),
            "0-1:0.0.0.0:80/tcp");
}

TEST(HostPortsTest, TextsAreReadBack) {
  for (const HostPort& port :
       {HostPort{"", 80, "tcp"}, HostPort{"127.0.0.1", 53, "udp"}, HostPort{"::1", 8080, "tcp"}}) {
    const auto parsed = ParseHostPort(port.ToString());
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, port);
  }
  for (const char* wrong : {"", "80", "/tcp", "web/tcp", "127.0.0.1:/tcp"}) {
    EXPECT_FALSE(ParseHostPort(wrong).ok()) << wrong;
  }
}

TEST(HostPortsTest, APairIsNamedOnce) {
  const std::vector<HostPort> range = {{"", 80, "tcp"}, {"", 81, "tcp"}};
  EXPECT_EQ(Conflicts({{"edge", range}, {"edge", range}}), "0-1:80/tcp");
}

}  // namespace
}  // namespace fairlead::resources
