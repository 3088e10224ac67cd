// What operators do beside committing: approve, go back, cancel; and what is found before a start.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;

TEST(OperatorTest, AChangeWaitsForApprovalAndWhatRunsIsHealedMeanwhile) {
  MiniFleet fleet({.sync_config = "approval = true\n"});
  ASSERT_OK(fleet.Start());
  std::string commit = fleet.PushFile("web.toml", ToToml({.name = "web"}));
  ASSERT_OK(fleet.WaitStory("deployment/web", "waits for approval"));
  EXPECT_EQ(fleet.engine().IdOf("web"), "");
  const auto approve = [&fleet] {
    const auto plan = MiniFleet::AsObject(fleet.CliJson({"plan"}));
    return fleet.Cli({"approve", std::string(plan.at("plan").at("id").as_string())});
  };
  EXPECT_EQ(fleet.Cli({"approve", "123456789abc"}).exit_code, 1);
  EXPECT_THAT(approve().out, HasSubstr("approved deployment/web"));
  ASSERT_OK(fleet.WaitConverged(commit));

  commit = fleet.PushFile("web.toml", ToToml({.name = "web", .image = "fl/app:2"}));
  ASSERT_OK(fleet.WaitStory("deployment/web", "waits for approval"));
  fleet.engine().Docker({"rm", "-f", "web"});
  ASSERT_OK(fleet.WaitRunning("deployment/web", "fl/app:1"));
  ASSERT_OK(fleet.WaitCondition("deployment/web", "BLOCKED"));
  EXPECT_EQ(fleet.Cli({"status"}).exit_code, 3);
  const CommandResult approved = approve();
  EXPECT_EQ(approved.exit_code, 0) << approved.err;
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/web", "fl/app:2"));
}

TEST(OperatorTest, RollbackGoesBackUntilARetry) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string first = fleet.PushFile("web.toml", ToToml({.name = "web"}));
  ASSERT_OK(fleet.WaitConverged(first));
  const std::string second =
      fleet.PushFile("web.toml", ToToml({.name = "web", .image = "fl/app:2"}));
  ASSERT_OK(fleet.WaitConverged(second));

  EXPECT_EQ(fleet.Cli({"rollback", "deployment/web", "--why", "slow"}).exit_code, 0);
  ASSERT_OK(fleet.WaitRunning("deployment/web", "fl/app:1"));
  ASSERT_OK(fleet.WaitCondition("deployment/web", "DEGRADED"));
  EXPECT_THAT(fleet.Story("deployment/web"), HasSubstr("slow"));
  const std::string history = fleet.Cli({"history", "deployment/web"}).out;
  EXPECT_THAT(history, HasSubstr("put aside"));
  EXPECT_THAT(history, HasSubstr(first.substr(0, 7)));

  EXPECT_EQ(fleet.Cli({"retry", "deployment/web"}).exit_code, 0);
  ASSERT_OK(fleet.WaitRunning("deployment/web", "fl/app:2"));
  ASSERT_OK(fleet.WaitConverged(second));

  // By a commit, whether it was ever in force or not.
  fleet.repository().Write("web.toml", ToToml({.name = "web", .config = "labels = \"a: b\"\n"}));
  const std::string labelled = fleet.Push("labels");
  const std::string third =
      fleet.PushFile("web.toml", ToToml({.name = "web", .image = "fl/app:2"}));
  ASSERT_OK(fleet.WaitConverged(third));
  EXPECT_EQ(fleet.Cli({"rollback", "deployment/web", "--to", labelled}).exit_code, 0);
  ASSERT_OK(fleet.WaitRunning("deployment/web", "fl/app:1"));
  EXPECT_EQ(fleet.Cli({"rollback", "deployment/web", "--to", "0123456"}).exit_code, 1);
}

TEST(OperatorTest, WhatIsInTheWayIsFoundBeforeTheOldContainerStops) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("web.toml", ToToml({.name = "web"}))));
  const std::string started =
      fleet.engine().Docker({"inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "web"});

  const std::string commit = fleet.PushFile(
      "web.toml",
      ToToml({.name = "web", .image = "fl/app:2", .config = "network = \"backend\"\n"}));
  ASSERT_OK(fleet.WaitStory("deployment/web", "there is no network backend"));
  EXPECT_EQ(fleet.engine().Docker({"inspect", "--format", "{{.Id}} {{.State.StartedAt}}", "web"}),
            started);
  fleet.engine().Docker({"network", "create", "backend"});
  fleet.Cli({"retry", "deployment/web"});
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/web", "fl/app:2"));
  // Removed by hand it would come back, and hold the network.
  ASSERT_OK(fleet.WaitConverged(fleet.PushRemoval("web.toml")));
  ASSERT_OK(WaitFor("web to go", [&] { return fleet.engine().IdOf("web").empty(); }));
  fleet.engine().Docker({"network", "rm", "backend"});
}

TEST(OperatorTest, WhatBelongsTogetherChangesTogetherOrNotAtAll) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const auto both = [](const std::string& db, const std::string& web) {
    return absl::StrCat(ToToml({.name = "db", .image = db}),
                        ToToml({.name = "web", .image = web, .after = "\"db\""}));
  };
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("all.toml", both("fl/app:1", "fl/app:1"))));
  const std::string db = fleet.engine().IdOf("db");

  fleet.PushFile("all.toml", both("fl/app:2", "fl/app:typo"));
  ASSERT_OK(fleet.WaitStory("deployment/web", "fl/app:typo"));
  EXPECT_OK(HoldsFor(
      "db stays as it is", [&] { return fleet.engine().IdOf("db") == db; }, absl::Seconds(2)));
  EXPECT_THAT(fleet.Cli({"plan"}).out, HasSubstr("belongs to the same change"));

  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("all.toml", both("fl/app:2", "fl/app:2"))));
  EXPECT_OK(fleet.WaitRunning("deployment/db", "fl/app:2"));
  EXPECT_OK(fleet.WaitRunning("deployment/web", "fl/app:2"));
}

TEST(OperatorTest, ACancelledReplacementPutsTheOldContainerBack) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  // As PID 1 it ignores SIGTERM: stopping it takes all its time.
  const auto stubborn = [](absl::string_view image) {
    return absl::StrCat(
        "[[deployment]]\nname = \"web\"\n[deployment.config]\n", "server = \"host-1\"\nimage = \"",
        image,
        "\"\ncommand = \"sh -c 'touch /tmp/ready; sleep 1000'\"\ntermination_timeout = 60\n");
  };
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("web.toml", stubborn("fl/app:1"))));
  fleet.PushFile("web.toml", stubborn("fl/app:2"));
  ASSERT_OK(WaitFor("the replacement to begin", [&] {
    return fleet.Cli({"cancel", "deployment/web", "--why", "not now"}).exit_code == 0;
  }));
  ASSERT_OK(fleet.WaitStory("deployment/web", "cancelled by"));
  ASSERT_OK(fleet.WaitRunning("deployment/web", "fl/app:1"));
  EXPECT_EQ(fleet.Cli({"cancel", "deployment/web"}).exit_code, 1);
}

}  // namespace
}  // namespace fairlead::integration
