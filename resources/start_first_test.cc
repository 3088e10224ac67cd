#include "resources/start_first.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Fault(const std::string& config) {
  return FindStartFirstFault(ReadDeployment("image = \"a\"\nstrategy = \"start_first\"\n" + config))
      .value_or("");
}

TEST(StartFirstTest, AUserDefinedNetworkAndNoFixedPortWillDo) {
  EXPECT_EQ(Fault("network = \"apps\""), "");
  EXPECT_EQ(Fault("network = \"apps\"\nports = \"0:80\"\nvolumes = \"data:/data\""), "");
  EXPECT_EQ(Fault("network = \"apps\"\nports = \"127.0.0.1::80\""), "");
}

TEST(StartFirstTest, RecreateIsNeverRefused) {
  EXPECT_EQ(FindStartFirstFault(ReadDeployment("image = \"a\"\nports = \"80:80\"")), std::nullopt);
}

TEST(StartFirstTest, NetworksWithoutNamesAreRefusedWithARemedy) {
  for (const char* network : {"bridge", "default", "", "host", "none", "container:db"}) {
    EXPECT_THAT(Fault(absl::StrCat("network = \"", network, "\"")),
                AllOf(HasSubstr("start_first: "), HasSubstr("user-defined network"),
                      HasSubstr("strategy = \"recreate\"")))
        << network;
  }
  EXPECT_THAT(Fault(""), HasSubstr("docker's default network"));
}

TEST(StartFirstTest, FixedHostPortsAreRefusedByNumber) {
  EXPECT_THAT(Fault("network = \"apps\"\nports = \"\"\"\n0:81\n127.0.0.1:8080:80\n\"\"\""),
              HasSubstr("two containers cannot hold host port 8080 at once; publish none"));
}

TEST(StartFirstTest, ANameMustHaveTwoSpellings) {
  EXPECT_THAT(Fault("network = \"apps\"\ncustom_name = \"1a\""),
              AllOf(HasSubstr("\"1a\" needs two letters"), HasSubstr("custom_name")));
  EXPECT_EQ(Fault("network = \"apps\"\ncustom_name = \"ab\""), "");
}

}  // namespace
}  // namespace fairlead::resources
