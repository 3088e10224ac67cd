// What an agent does while its controller is away.
#include <string>

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

// More than the agent's patience with a controller that is restarted.
constexpr absl::Duration kLong = absl::Seconds(9);

class AutonomyTest : public testing::Test {
 protected:
  // With `alpha` running, and what `more` declares.
  void Start(const std::string& terms, const std::string& more = "") {
    fleet_.repository().Write("servers.toml",
                              absl::StrCat("[[server]]\nname = \"host-1\"\n", terms));
    ASSERT_OK(fleet_.Start());
    fleet_.repository().Write("more.toml", more);
    commit_ = fleet_.PushFile("alpha.toml", ToToml({.name = "alpha"}));
    ASSERT_OK(fleet_.WaitConverged(commit_, absl::Seconds(90)));
    alpha_ = fleet_.engine().IdOf("alpha");
  }

  std::string StateOf(const std::string& name) {
    for (const EngineContainer& one : fleet_.engine().Containers()) {
      if (absl::StrContains(one.name, name)) return one.state;
    }
    return "gone";
  }
  absl::Status WaitState(const std::string& name, const std::string& state) {
    return WaitFor(absl::StrCat(name, " to be ", state), [&] { return StateOf(name) == state; });
  }
  absl::Status Stays(const std::string& name, const std::string& state) {
    return HoldsFor(
        absl::StrCat(name, " stays ", state), [&] { return StateOf(name) == state; }, kLong);
  }

  MiniFleet fleet_;
  std::string commit_;
  std::string alpha_;
};

constexpr char kHeal[] = "config.autonomy = \"heal\"\n";

TEST_F(AutonomyTest, HealsWhatIsRemovedOrKilledAndTellsLater) {
  Start(kHeal, ToToml({.name = "beta", .config = "environment = \"TOKEN = s3cret\"\n"}));
  const std::string beta = fleet_.engine().IdOf("beta");
  fleet_.controller().Kill();

  fleet_.engine().Docker({"rm", "-f", "beta"});
  fleet_.engine().Docker({"kill", "alpha"});

  ASSERT_OK(WaitState("beta", "running"));
  ASSERT_OK(WaitState("alpha", "running"));
  EXPECT_EQ(fleet_.engine().IdOf("alpha"), alpha_) << "started, not made anew";
  const std::string healed = fleet_.engine().IdOf("beta");
  EXPECT_NE(healed, beta);
  EXPECT_THAT(fleet_.engine().Docker({"inspect", "--format", "{{.Config.Env}}", "beta"}),
              HasSubstr("TOKEN=s3cret"));

  ASSERT_OK(fleet_.StartController());
  ASSERT_OK(fleet_.WaitConverged(commit_));
  EXPECT_EQ(fleet_.engine().IdOf("beta"), healed) << "the controller has nothing to do about it";
  EXPECT_EQ(fleet_.engine().IdOf("alpha"), alpha_);
  const std::string events = fleet_.Cli({"events"}).out;
  EXPECT_THAT(events, HasSubstr("was removed; healed"));
  EXPECT_THAT(events, HasSubstr("was stopped, exit code 137; healed"));
}

TEST_F(AutonomyTest, AStoppedOneStaysStopped) {
  Start(kHeal);
  EXPECT_EQ(fleet_.Cli({"stop", "deployment/alpha", "--why", "maintenance"}).exit_code, 0);
  ASSERT_OK(WaitState("alpha", "exited"));
  fleet_.controller().Kill();

  EXPECT_OK(Stays("alpha", "exited"));
  // Also when the agent is started anew without the controller.
  fleet_.agent().Kill();
  ASSERT_OK(fleet_.StartAgent(1));
  EXPECT_OK(Stays("alpha", "exited"));

  ASSERT_OK(fleet_.StartController());
  EXPECT_OK(fleet_.WaitStory("deployment/alpha", "maintenance"));
  EXPECT_EQ(fleet_.Cli({"release", "deployment/alpha"}).exit_code, 0);
  EXPECT_OK(WaitState("alpha", "running"));
}

TEST_F(AutonomyTest, NothingIsDoneAfterTheTtl) {
  Start(absl::StrCat(kHeal, "config.autonomy_ttl = \"8s\"\n"));
  fleet_.controller().Kill();
  EXPECT_OK(Stays("alpha", "running"));

  fleet_.engine().Docker({"rm", "-f", "alpha"});

  EXPECT_OK(Stays("alpha", "gone"));
  ASSERT_OK(fleet_.StartController());
  EXPECT_OK(WaitState("alpha", "running"));
}

TEST_F(AutonomyTest, NothingIsDoneUnlessTheServerSaysSo) {
  Start("");
  fleet_.controller().Kill();
  fleet_.engine().Docker({"rm", "-f", "alpha"});
  EXPECT_OK(Stays("alpha", "gone"));
}

TEST_F(AutonomyTest, WhatIsNotToBeHealedIsLeftAlone) {
  Start(kHeal, ToToml({.name = "quiet", .head = "heal = false\n"}));
  fleet_.controller().Kill();
  fleet_.engine().Docker({"rm", "-f", "quiet", "alpha"});
  EXPECT_OK(WaitState("alpha", "running"));
  EXPECT_EQ(StateOf("quiet"), "gone");
}

TEST_F(AutonomyTest, AnAgentStartedWithoutAControllerHealsDeploymentsAndStacks) {
  Start(kHeal,
        "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"host-1\"\nauto_pull = false\n"
        "min_ready = \"300ms\"\nfile_contents = '''\nversion: \"3.7\"\nservices:\n"
        "  front:\n    image: fl/app:1\n  back:\n    image: fl/app:1\n'''\n");
  fleet_.controller().Kill();
  fleet_.agent().Kill();
  fleet_.engine().Docker({"rm", "-f", "alpha", "shop_front_1"});
  const std::string back = fleet_.engine().IdOf("shop_back_1");
  ASSERT_OK(fleet_.StartAgent(1));

  EXPECT_OK(WaitState("alpha", "running"));
  EXPECT_OK(WaitState("front", "running"));
  EXPECT_EQ(fleet_.engine().IdOf("shop_back_1"), back);
  ASSERT_OK(fleet_.StartController());
  EXPECT_OK(fleet_.WaitConverged(commit_, absl::Seconds(90)));
}

}  // namespace
}  // namespace fairlead::integration
