// What the machine refuses: ports, locks, disk space; and who may connect.
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string AllOf(const std::string& log) { return base::ReadFile(log).value_or(""); }

TEST(ProcessTest, ListenPortTakenIsNamed) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string log = fleet.directory() + "/second.log";
  Process second;
  ASSERT_OK(
      second.Start(fleet.ControllerArguments(fleet.directory() + "/second", fleet.grpc()), log));
  ASSERT_OK(second.WaitForEnd());
  EXPECT_EQ(second.exit_code(), 1);
  EXPECT_THAT(AllOf(log), HasSubstr(fleet.grpc()));
  EXPECT_TRUE(fleet.controller().Running());
  EXPECT_OK(fleet.WaitConverged(fleet.PushFile("a.toml", ToToml({.name = "alpha"}))));
}

TEST(ProcessTest, DataDirectoryLockedByAnotherController) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string log = fleet.directory() + "/second.log";
  Process second;
  ASSERT_OK(second.Start(fleet.ControllerArguments(fleet.controller_data(), "127.0.0.1:0"), log));
  ASSERT_OK(second.WaitForEnd());
  EXPECT_EQ(second.exit_code(), 1);
  EXPECT_THAT(AllOf(log), HasSubstr(fleet.controller_data()));
  EXPECT_THAT(AllOf(log), HasSubstr(absl::StrCat(fleet.controller().pid())));
  EXPECT_OK(fleet.WaitConverged(fleet.PushFile("a.toml", ToToml({.name = "alpha"}))));
}

TEST(ProcessTest, ASecondAgentOfTheSameNameIsRefused) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string log = fleet.directory() + "/intruder.log";
  Process intruder;
  ASSERT_OK(intruder.Start(
      {ProgramPath("fairlead-agent"), "--dev", "--controller", fleet.grpc(), "--name", "host-1",
       "--data-dir", fleet.directory() + "/intruder", "--docker-host", fleet.engine().host()},
      log));
  EXPECT_OK(
      WaitFor("the refusal in its log", [&] { return absl::StrContains(AllOf(log), "host-1"); }));
  EXPECT_OK(fleet.WaitConverged(fleet.PushFile("a.toml", ToToml({.name = "alpha"}))));
  EXPECT_THAT(fleet.engine().Containers(), SizeIs(1));
}

TEST(ProcessTest, DiskFullIsSaidAndRecoversByItself) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "a small disk needs root to mount";
  }
  MiniFleet fleet({.controller_disk_kib = 8192});
  ASSERT_OK(fleet.Start());
  std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));

  fleet.controller_disk()->Fill();
  // More than what the database has free inside its pages.
  for (int n = 0; n < 5; ++n) {
    fleet.repository().Write(absl::StrCat("more-", n, ".toml"),
                             ToToml({.name = absl::StrCat("more-", n)}));
  }
  commit = fleet.PushFile("a.toml", ToToml({.name = "alpha", .image = "fl/app:2"}));
  EXPECT_OK(WaitFor("the full disk to be named", [&] {
    const std::string said = absl::StrCat(fleet.SyncStory(), fleet.Story("deployment/alpha"),
                                          AllOf(fleet.controller().log()));
    return absl::StrContains(said, "disk full") || absl::StrContains(said, "No space left") ||
           absl::StrContains(said, "no space left");
  }));
  EXPECT_TRUE(fleet.controller().Running());
  EXPECT_NE(fleet.engine().IdOf("alpha"), "") << "what runs goes on";
  // Looking is possible, and who looks is told.
  EXPECT_EQ(fleet.Cli({"get", "deployments"}).exit_code, 0);
  EXPECT_OK(WaitFor("readyz to say so", [&] {
    const auto answer = HttpGet(fleet.http(), "/readyz");
    return answer.ok() && absl::StrContains(answer->body, "the store refuses writes");
  }));

  fleet.controller_disk()->Empty();
  EXPECT_OK(fleet.WaitConverged(commit, absl::Seconds(90)));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:2"));
  EXPECT_THAT(fleet.engine().Containers(), SizeIs(6));
}

TEST(ProcessTest, DevModeRefusesOtherAddresses) {
  const MiniFleet fleet;
  const std::string log = fleet.directory() + "/open.log";
  Process controller;
  ASSERT_OK(
      controller.Start(fleet.ControllerArguments(fleet.directory() + "/open", "0.0.0.0:0"), log));
  ASSERT_OK(controller.WaitForEnd());
  EXPECT_EQ(controller.exit_code(), 1);
  EXPECT_THAT(AllOf(log), HasSubstr("0.0.0.0"));
}

TEST(ProcessTest, TheCliSaysWhoDoesNotAnswer) {
  const std::string nobody = absl::StrCat("127.0.0.1:", FreePort());
  const CommandResult result =
      RunCommand({ProgramPath("fairlead"), "status"}, {{"FAIRLEAD_CONTROLLER", nobody}});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(absl::StrCat("cannot reach the controller at ", nobody)));
  EXPECT_THAT(result.err, HasSubstr("FAIRLEAD_CONTROLLER"));
}

}  // namespace
}  // namespace fairlead::integration
