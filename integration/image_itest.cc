// Builds on a real engine: an image of a commit, the deployment that runs it, a newer one, and one
// that fails.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ImageTest : public testing::Test {
 protected:
  std::string Declaration(const std::string& deployment) {
    return absl::StrCat(
        "[[builder]]\nname = \"local\"\nconfig = { type = \"Server\", params = { server = "
        "\"host-1\" } "
        "}\n[[build]]\nname = \"api\"\n[build.config]\nbuilder = \"local\"\nurl = \"",
        fleet_.repository().url(),
        "\"\nbranch = \"main\"\nbuild_path = \"app\"\ninclude_commit_tag = false\n"
        "[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"host-1\"\nimage = { type "
        "= "
        "\"Build\", params = { build = \"api\" } }\nmin_ready = \"300ms\"\n",
        deployment);
  }
  void WriteApp(const std::string& version,
                const std::string& dockerfile = "FROM fl/app:1\nCOPY version /etc/version\n") {
    fleet_.repository().Write("app/version", version);
    fleet_.repository().Write("app/Dockerfile", dockerfile);
  }
  std::string VersionInside() const {
    return fleet_.engine().Docker({"exec", "web", "cat", "/etc/version"});
  }

  MiniFleet fleet_;
};

TEST_F(ImageTest, WhatADeploymentNeedsIsBuiltAndANewerImageReplacesIt) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one");
  ASSERT_OK(fleet_.WaitConverged(
      fleet_.PushFile("all.toml", Declaration("redeploy_on_build = true\n")), absl::Seconds(120)));
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.1"));
  EXPECT_EQ(VersionInside(), "one");
  EXPECT_THAT(fleet_.Cli({"runs", "build/api"}).out,
              AllOf(HasSubstr("succeeded"), HasSubstr("deployment/web")));
  EXPECT_THAT(fleet_.Cli({"get", "builds"}).out, HasSubstr("0.0.1, api:0.0.1 of "));

  WriteApp("two");
  fleet_.Push("two");
  const CommandResult built = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(built.exit_code, 0) << built.out << built.err;
  EXPECT_THAT(built.out, AllOf(HasSubstr("COPY version"), HasSubstr("made 0.0.2 of ")));
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.2"));
  EXPECT_EQ(VersionInside(), "two");

  const CommandResult again = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(again.exit_code, 0) << again.out;
  EXPECT_THAT(again.out, HasSubstr("nothing has changed"));
}

TEST_F(ImageTest, AFailingBuildLeavesWhatRuns) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one");
  ASSERT_OK(fleet_.WaitConverged(
      fleet_.PushFile("all.toml", Declaration("redeploy_on_build = true\n")), absl::Seconds(120)));
  const std::string id = fleet_.engine().IdOf("web");
  WriteApp("two", "FROM fl/app:1\nCOPY missing /etc/version\n");
  fleet_.Push("broken");
  const CommandResult built = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(built.exit_code, 1);
  EXPECT_THAT(built.out, HasSubstr("missing"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), id);
  EXPECT_EQ(fleet_.Condition("deployment/web"), "CONVERGED");
  EXPECT_EQ(fleet_.Condition("build/api"), "DEGRADED");
  EXPECT_THAT(fleet_.Story("build/api"), HasSubstr("there is 0.0.1 of "));

  WriteApp("three");
  fleet_.Push("mended");
  EXPECT_EQ(fleet_.Cli({"build", "api", "--wait"}).exit_code, 0);
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.2"));
  EXPECT_EQ(VersionInside(), "three");
}

}  // namespace
}  // namespace fairlead::integration
