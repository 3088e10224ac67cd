// The main job: a commit makes containers equal to it, and they stay so.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string FieldOf(const Engine& engine, const std::string& name, const std::string& field) {
  return engine.Docker({"inspect", "--type", "container", "--format", field, name});
}

TEST(ConvergeTest, StartsInOrderOverTwoHosts) {
  MiniFleet fleet({.servers = 2});
  ASSERT_OK(fleet.Start());
  fleet.repository().Write("db.toml", ToToml({.name = "db", .image = "fl/slow:1"}));
  fleet.repository().Write("web.toml", ToToml({.name = "web", .server = 2, .after = "\"db\""}));
  const std::string commit = fleet.Push("db, web after it on the other host");
  ASSERT_OK(fleet.WaitConverged(commit));

  EXPECT_OK(fleet.WaitRunning("deployment/db", "fl/slow:1", 1));
  EXPECT_OK(fleet.WaitRunning("deployment/web", "fl/app:1", 2));
  EXPECT_THAT(fleet.engine(2).Containers("deployment/db"), IsEmpty());
  absl::Time db;
  absl::Time web;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full,
                              FieldOf(fleet.engine(1), "db", "{{.State.StartedAt}}"), &db, &error));
  ASSERT_TRUE(absl::ParseTime(
      absl::RFC3339_full, FieldOf(fleet.engine(2), "web", "{{.State.StartedAt}}"), &web, &error));
  // db's health check passes two seconds after its start.
  EXPECT_GE(web - db, absl::Seconds(2)) << "web did not wait for the health of db";
}

TEST(ConvergeTest, ChangesOnlyWhatChanged) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  fleet.repository().Write("a.toml", ToToml({.name = "alpha"}));
  fleet.repository().Write("b.toml", ToToml({.name = "beta"}));
  ASSERT_OK(fleet.WaitConverged(fleet.Push("a and b")));
  const std::string a = fleet.engine().IdOf("alpha");
  const std::string b = fleet.engine().IdOf("beta");

  fleet.repository().Write("b.toml", ToToml({.name = "beta", .image = "fl/app:2"}));
  EXPECT_EQ(fleet.Cli({"plan", "--dir", fleet.repository().work()}).exit_code, 2);
  ASSERT_OK(fleet.WaitConverged(fleet.Push("b 2")));
  EXPECT_OK(fleet.WaitRunning("deployment/beta", "fl/app:2"));
  EXPECT_EQ(fleet.engine().IdOf("alpha"), a);
  EXPECT_NE(fleet.engine().IdOf("beta"), b);
  EXPECT_THAT(fleet.engine().Containers(), SizeIs(2));

  // Comments and spacing are no change.
  fleet.repository().Write("b.toml",
                           absl::StrCat("# b\n\n", ToToml({.name = "beta", .image = "fl/app:2"})));
  const std::string same = fleet.engine().IdOf("beta");
  ASSERT_OK(fleet.WaitConverged(fleet.Push("comments")));
  EXPECT_EQ(fleet.engine().IdOf("beta"), same);
  EXPECT_EQ(fleet.Cli({"plan", "--dir", fleet.repository().work()}).exit_code, 0);
}

TEST(ConvergeTest, HealsWhatIsKilledRemovedOrStopped) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));
  const std::string first = fleet.engine().IdOf("alpha");

  fleet.engine().Docker({"kill", "alpha"});
  ASSERT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_EQ(fleet.engine().IdOf("alpha"), first) << "a dead container is started, not replaced";

  fleet.engine().Docker({"rm", "-f", "alpha"});
  ASSERT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
  ASSERT_OK(fleet.WaitConverged(commit));
  EXPECT_NE(fleet.engine().IdOf("alpha"), first);
}

TEST(ConvergeTest, UndoesAChangeByHand) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string commit = fleet.PushFile(
      "a.toml", ToToml({.name = "alpha", .config = "restart = \"unless-stopped\"\n"}));
  ASSERT_OK(fleet.WaitConverged(commit));
  fleet.engine().Docker({"update", "--restart", "always", "alpha"});
  ASSERT_OK(WaitFor("the restart policy to be put back", [&] {
    return FieldOf(fleet.engine(), "alpha", "{{.HostConfig.RestartPolicy.Name}}") ==
           "unless-stopped";
  }));
  EXPECT_OK(fleet.WaitConverged(commit));
}

TEST(ConvergeTest, PrunesWhatIsNoLongerDeclared) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  // Neither labelled nor declared: never touched.
  fleet.engine().Docker({"run", "-d", "--name", "foreign", "fl/app:1"});
  fleet.repository().Write("a.toml", ToToml({.name = "alpha"}));
  fleet.repository().Write("b.toml", ToToml({.name = "beta"}));
  ASSERT_OK(fleet.WaitConverged(fleet.Push("a and b")));
  const std::string a = fleet.engine().IdOf("alpha");

  ASSERT_OK(fleet.WaitConverged(fleet.PushRemoval("b.toml")));
  ASSERT_OK(WaitFor("b to be pruned",
                    [&] { return fleet.engine().Containers("deployment/beta").empty(); }));
  EXPECT_EQ(fleet.engine().IdOf("alpha"), a);
  EXPECT_NE(fleet.engine().IdOf("foreign"), "");
}

TEST(ConvergeTest, StopHoldsUntilRelease) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha"}));
  ASSERT_OK(fleet.WaitConverged(commit));
  const CommandResult stopped = fleet.Cli({"stop", "deployment/alpha", "--why", "maintenance"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  ASSERT_OK(WaitFor("a to be stopped", [&] {
    return FieldOf(fleet.engine(), "alpha", "{{.State.Status}}") == "exited";
  }));
  // Started by hand it is stopped again: the hold is enforced.
  fleet.engine().Docker({"start", "alpha"});
  ASSERT_OK(WaitFor("a to be stopped again", [&] {
    return FieldOf(fleet.engine(), "alpha", "{{.State.Status}}") == "exited";
  }));
  EXPECT_THAT(fleet.Story("deployment/alpha"), HasSubstr("maintenance"));
  EXPECT_EQ(fleet.Cli({"release", "deployment/alpha"}).exit_code, 0);
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", "fl/app:1"));
  EXPECT_OK(fleet.WaitConverged(commit));
}

TEST(ConvergeTest, AVariableRedeploysItsUsersOnly) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const std::string variable = "[[variable]]\nname = \"LEVEL\"\nvalue = \"";
  fleet.repository().Write("vars.toml", absl::StrCat(variable, "info\"\n"));
  fleet.repository().Write(
      "a.toml", ToToml({.name = "alpha", .config = "environment = \"LOG = [[LEVEL]]\"\n"}));
  fleet.repository().Write("b.toml", ToToml({.name = "beta"}));
  ASSERT_OK(fleet.WaitConverged(fleet.Push("LEVEL info")));
  const std::string b = fleet.engine().IdOf("beta");
  EXPECT_THAT(FieldOf(fleet.engine(), "alpha", "{{.Config.Env}}"), HasSubstr("LOG=info"));

  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("vars.toml", absl::StrCat(variable, "debug\"\n"))));
  EXPECT_THAT(FieldOf(fleet.engine(), "alpha", "{{.Config.Env}}"), HasSubstr("LOG=debug"));
  EXPECT_EQ(fleet.engine().IdOf("beta"), b);
}

TEST(ConvergeTest, AStackRunsAndChangesOneService) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  const auto stack = [](const std::string& version) {
    return absl::StrCat(
        "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"host-1\"\nauto_pull = false\n"
        "min_ready = \"300ms\"\nfile_contents = '''\nversion: \"3.7\"\nservices:\n",
        "  front:\n    image: fl/app:", version, "\n  back:\n    image: fl/app:1\n'''\n");
  };
  const std::string commit = fleet.PushFile("shop.toml", stack("1"));
  ASSERT_OK(fleet.WaitConverged(commit, absl::Seconds(90)));
  const auto find = [&](absl::string_view service) {
    for (const EngineContainer& one : fleet.engine().Containers("stack/shop")) {
      if (absl::StrContains(one.name, service)) {
        return one;
      }
    }
    return EngineContainer();
  };
  const EngineContainer front = find("front");
  const EngineContainer back = find("back");
  EXPECT_EQ(front.state, "running");
  EXPECT_EQ(back.state, "running");

  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("shop.toml", stack("2")), absl::Seconds(90)));
  EXPECT_EQ(find("front").image, "fl/app:2");
  EXPECT_EQ(find("back").id, back.id);

  fleet.engine().Docker({"rm", "-f", find("back").name});
  EXPECT_OK(WaitFor(
      "the service to be back", [&] { return find("back").state == "running"; },
      absl::Seconds(60)));
}

TEST(ConvergeTest, AStackTakesItsFilesFromTheRepository) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  fleet.repository().Write("shop/compose.yaml",
                           "version: \"3.7\"\nservices:\n  front:\n    image: ${IMAGE}\n");
  const auto stack = [](const std::string& image) {
    return absl::StrCat(
        "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"host-1\"\nauto_pull = false\n"
        "min_ready = \"300ms\"\nrun_directory = \"shop\"\nenvironment = \"IMAGE = ",
        image, "\"\n");
  };
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("shop.toml", stack("fl/app:1")), absl::Seconds(90)));
  EXPECT_OK(fleet.WaitRunning("stack/shop", "fl/app:1"));
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("shop.toml", stack("fl/app:2")), absl::Seconds(90)));
  EXPECT_OK(fleet.WaitRunning("stack/shop", "fl/app:2"));
  // No source changed but the file itself.
  fleet.repository().Write("shop/compose.yaml",
                           "version: \"3.7\"\nservices:\n  front:\n    image: fl/app:3\n");
  ASSERT_OK(fleet.WaitConverged(fleet.Push("the compose file"), absl::Seconds(90)));
  EXPECT_OK(fleet.WaitRunning("stack/shop", "fl/app:3"));
}

TEST(ConvergeTest, LogsAndEventsTellTheStory) {
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile(
      "a.toml",
      ToToml({.name = "alpha",
              .config =
                  "command = \"sh -c 'touch /tmp/ready; echo here I am; exec sleep 1000'\"\n"}))));
  ASSERT_OK(WaitFor("the container's line", [&] {
    return absl::StrContains(fleet.Cli({"logs", "deployment/alpha", "--tail", "5"}).out,
                             "here I am");
  }));
  EXPECT_THAT(fleet.Cli({"events"}).out, HasSubstr("deployment/alpha"));
  EXPECT_THAT(fleet.Cli({"get", "deployment"}).out, HasSubstr("alpha"));
  EXPECT_EQ(fleet.Cli({"wait", "--for", "converged", "--timeout", "10s"}).exit_code, 0);
}

}  // namespace
}  // namespace fairlead::integration
