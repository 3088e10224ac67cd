// Killed in the middle: nothing is lost, nothing is done twice, it goes on by itself.
#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// The moment of a replacement at which something is killed.
enum class Moment { kOldIsKept, kNewIsThere, kNewIsRunning };

std::string NameOf(const testing::TestParamInfo<Moment>& moment) {
  switch (moment.param) {
    case Moment::kOldIsKept:
      return "OldIsKept";
    case Moment::kNewIsThere:
      return "NewIsThere";
    case Moment::kNewIsRunning:
      return "NewIsRunning";
  }
  return "";
}

// A fleet in which `web` runs a slow image, version 1, and `other` stands by.
class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    fleet_.repository().Write("other.toml", ToToml({.name = "other"}));
    ASSERT_OK(fleet_.WaitConverged(
        fleet_.PushFile("web.toml", ToToml({.name = "web", .image = "fl/slow:1"}))));
    other_ = fleet_.engine().IdOf("other");
  }

  // Pushes version 2 and returns when its replacement has come to `moment`.
  void PushAndReach(Moment moment) {
    commit_ = fleet_.PushFile("web.toml", ToToml({.name = "web", .image = "fl/slow:2"}));
    ASSERT_OK(WaitFor(
        "the middle of the deploy",
        [&] {
          for (const EngineContainer& one : fleet_.engine().Containers("deployment/web")) {
            const bool is_new = one.image == "fl/slow:2";
            if ((moment == Moment::kOldIsKept && one.name == "web.fairlead-old") ||
                (moment == Moment::kNewIsThere && is_new) ||
                (moment == Moment::kNewIsRunning && is_new && one.state == "running")) {
              return true;
            }
          }
          return false;
        },
        absl::Seconds(20), absl::Milliseconds(1)));
  }

  void ExpectFinished() {
    EXPECT_OK(fleet_.WaitConverged(commit_));
    EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/slow:2"));
    EXPECT_EQ(fleet_.engine().IdOf("other"), other_) << "unrelated containers go on";
    EXPECT_THAT(fleet_.engine().Containers(), SizeIs(2)) << "no second container";
  }

  MiniFleet fleet_;
  std::string other_;
  std::string commit_;
};

class MomentTest : public CrashTest, public testing::WithParamInterface<Moment> {};

TEST_P(MomentTest, AgentKilledMidDeploy) {
  ASSERT_NO_FATAL_FAILURE(PushAndReach(GetParam()));
  fleet_.agent().Kill();
  ASSERT_OK(WaitFor("the controller to see it",
                    [&] { return !absl::StrContains(fleet_.Cli({"status"}).out, "online"); }));
  EXPECT_EQ(fleet_.engine().IdOf("other"), other_);
  ASSERT_OK(fleet_.StartAgent(1));
  ExpectFinished();
}

TEST_P(MomentTest, ControllerKilledMidDeploy) {
  ASSERT_NO_FATAL_FAILURE(PushAndReach(GetParam()));
  fleet_.controller().Kill();
  ASSERT_OK(fleet_.StartController());
  ExpectFinished();
}

INSTANTIATE_TEST_SUITE_P(Crash, MomentTest,
                         testing::Values(Moment::kOldIsKept, Moment::kNewIsThere,
                                         Moment::kNewIsRunning),
                         NameOf);

TEST_F(CrashTest, BothKilledMidDeploy) {
  ASSERT_NO_FATAL_FAILURE(PushAndReach(Moment::kNewIsThere));
  fleet_.controller().Kill();
  fleet_.agent().Kill();
  ASSERT_OK(fleet_.StartController());
  ASSERT_OK(fleet_.StartAgent(1));
  ExpectFinished();
}

TEST_F(CrashTest, DockerRestartedUnderTheAgent) {
  const std::string web = fleet_.engine().IdOf("web");
  const pid_t agent = fleet_.agent().pid();
  ASSERT_OK(fleet_.engine().Stop());
  ASSERT_OK(fleet_.WaitStory("server/host-1", "docker"));
  EXPECT_NE(fleet_.Cli({"status"}).exit_code, 0);
  // What git says meanwhile is done when the engine is back.
  commit_ = fleet_.PushFile("other.toml", ToToml({.name = "other", .image = "fl/app:2"}));
  ASSERT_OK(fleet_.engine().Start());
  EXPECT_OK(fleet_.WaitConverged(commit_));
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/slow:1"));
  EXPECT_OK(fleet_.WaitRunning("deployment/other", "fl/app:2"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), web) << "a restart of Docker recreates nothing";
  EXPECT_TRUE(fleet_.agent().Running());
  EXPECT_EQ(fleet_.agent().pid(), agent);
  EXPECT_THAT(fleet_.engine().Containers(), SizeIs(2));
}

TEST_F(CrashTest, AHungAgentIsReplacedByItself) {
  fleet_.agent().Signal(SIGSTOP);
  ASSERT_OK(WaitFor(
      "the server to be offline",
      [&] { return !absl::StrContains(fleet_.Cli({"status"}).out, "online"); }, absl::Seconds(60)));
  const std::string commit =
      fleet_.PushFile("web.toml", ToToml({.name = "web", .image = "fl/slow:2"}));
  fleet_.agent().Signal(SIGCONT);
  EXPECT_OK(fleet_.WaitConverged(commit, absl::Seconds(60)));
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/slow:2"));
}

TEST_F(CrashTest, DriftWhileTheControllerWasAwayIsHealedAfterwards) {
  fleet_.controller().Kill();
  fleet_.engine().Docker({"rm", "-f", "web"});
  ASSERT_OK(fleet_.StartController());
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/slow:1"));
  EXPECT_EQ(fleet_.engine().IdOf("other"), other_);
}

TEST_F(CrashTest, StopsInOrderOnSigterm) {
  EXPECT_TRUE(fleet_.agent().Stop());
  EXPECT_EQ(fleet_.agent().exit_code(), 0);
  EXPECT_TRUE(fleet_.controller().Stop());
  EXPECT_EQ(fleet_.controller().exit_code(), 0);
  EXPECT_EQ(fleet_.engine().IdOf("other"), other_) << "containers outlive Fairlead";
}

}  // namespace
}  // namespace fairlead::integration
