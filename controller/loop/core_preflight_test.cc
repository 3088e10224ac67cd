// The look ahead at steps that belong together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/core.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string Deployment(const std::string& name, const std::string& version,
                       const std::string& after = "") {
  return absl::StrCat("[[deployment]]\nname = \"", name, "\"\nafter = [", after,
                      "]\nconfig.server = \"edge\"\nconfig.image = \"", name, ":", version, "\"\n");
}

class CorePreflightTest : public ::testing::Test {
 protected:
  CorePreflightTest() { world_.Connect("edge"); }

  // `web` comes after `db`; `lone` belongs to nobody.
  void Commit(const std::string& version) {
    world_.Commit(absl::StrCat("[[server]]\nname = \"edge\"\n", Deployment("db", version),
                               Deployment("web", version, "\"db\""), Deployment("lone", version)),
                  version);
    world_.sent.clear();
  }
  std::string Image(const std::string& name) {
    const v1::Container* container = world_.hosts["edge"].Find(name);
    return container == nullptr ? "" : container->image();
  }
  const v1::Step* StepOf(const std::string& resource) {
    for (const v1::Step& step : world_.core->view()->result.plan.steps()) {
      if (step.resource() == resource) return &step;
    }
    return nullptr;
  }
  // Version 1 runs; version 2 of web cannot.
  void MeetAnObstacle() {
    Commit("1");
    world_.Settle();
    Commit("2");
    world_.faults["deployment/web"] = absl::FailedPreconditionError("pre-flight: no such network");
    world_.Settle(absl::Seconds(1));
  }

  CoreWorld world_;
};

TEST_F(CorePreflightTest, AllOfAGroupAreLookedAtBeforeOneStarts) {
  Commit("1");
  world_.Pass();
  EXPECT_THAT(world_.sent, ElementsAre("check deployment/db", "check deployment/web",
                                       "apply_container deployment/lone"));
  world_.Perform();
  world_.Pass();
  EXPECT_EQ(world_.sent.back(), "apply_container deployment/db");
  world_.Settle();
  EXPECT_EQ(world_.sent.size(), 5u);
  EXPECT_EQ(world_.sent.back(), "apply_container deployment/web");
}

TEST_F(CorePreflightTest, WhatIsInTheWayOfOneLeavesTheWholeGroupAsItIs) {
  MeetAnObstacle();
  EXPECT_EQ(Image("db"), "db:1");
  EXPECT_EQ(Image("web"), "web:1");
  EXPECT_EQ(Image("lone"), "lone:2");
  EXPECT_EQ(world_.ConditionOf("deployment/web"), v1::CONDITION_DEGRADED);
  EXPECT_EQ(world_.ConditionOf("deployment/db"), v1::CONDITION_BLOCKED);
  ASSERT_NE(StepOf("deployment/db"), nullptr);
  EXPECT_EQ(StepOf("deployment/db")->gate().kind(), v1::Gate::KIND_PREFLIGHT);
  EXPECT_EQ(StepOf("deployment/db")->gate().reason(),
            "waits for deployment/web, which belongs to the same change: pre-flight: no such "
            "network");

  world_.faults.clear();
  world_.Settle();
  EXPECT_EQ(Image("db"), "db:2");
  EXPECT_EQ(Image("web"), "web:2");
  EXPECT_TRUE(world_.core->view()->converged);
}

TEST_F(CorePreflightTest, WhatRanBeforeIsHealedMeanwhile) {
  MeetAnObstacle();
  world_.hosts["edge"].Remove("db");
  world_.Report("edge");
  world_.Settle(absl::Seconds(1));
  EXPECT_EQ(Image("db"), "db:2");
  EXPECT_EQ(Image("web"), "web:1");
}

TEST_F(CorePreflightTest, TheRestGoesOnWithoutOneThatIsWithdrawn) {
  MeetAnObstacle();
  world_.Commit(absl::StrCat("[[server]]\nname = \"edge\"\n", Deployment("db", "2")), "3");
  world_.Settle();
  EXPECT_EQ(Image("db"), "db:2");
}

TEST_F(CorePreflightTest, AChangeOfOneIsNotLookedAtTwice) {
  Commit("1");
  world_.Settle();
  world_.Commit(absl::StrCat("[[server]]\nname = \"edge\"\n", Deployment("db", "1"),
                             Deployment("web", "2", "\"db\""), Deployment("lone", "1")),
                "2");
  world_.sent.clear();
  world_.Settle();
  EXPECT_THAT(world_.sent, Each(Not(StartsWith("check"))));
  EXPECT_EQ(Image("web"), "web:2");
}

TEST_F(CorePreflightTest, AStackOfAGroupIsLookedAtToo) {
  const auto change = [](const std::string& version) {
    return absl::StrCat("[[server]]\nname = \"edge\"\n", Deployment("db", version),
                        "[[stack]]\nname = \"shop\"\nafter = [\"db\"]\nconfig.server = \"edge\"\n",
                        "config.file_contents = \"services: {web: {image: \\\"web:", version,
                        "\\\"}}\"\n", Deployment("proxy", version, "\"stack/shop\""));
  };
  world_.faults["stack/shop"] =
      absl::FailedPreconditionError("pre-flight: there is no volume data");
  world_.Commit(change("1"), "1");
  world_.sent.clear();
  world_.Settle(absl::Seconds(1));
  EXPECT_THAT(world_.sent, ElementsAre("check deployment/db", "check_stack stack/shop",
                                       "check deployment/proxy"));
  EXPECT_EQ(world_.ConditionOf("deployment/db"), v1::CONDITION_BLOCKED);

  world_.faults.clear();
  world_.now += absl::Minutes(1);
  world_.Pass();
  EXPECT_EQ(world_.sent.back(), "check_stack stack/shop");
  world_.Perform();
  world_.Pass();
  EXPECT_EQ(world_.sent.back(), "apply_container deployment/db");
}

TEST_F(CorePreflightTest, NetworksThatAStackOfTheGroupMakesAreNoObstacle) {
  world_.Commit(
      "[[server]]\nname = \"edge\"\n"
      "[[stack]]\nname = \"shop\"\nconfig.server = \"edge\"\n"
      "config.file_contents = \"services: {web: {image: \\\"web:1\\\"}}\"\n" +
          Deployment("proxy", "1", "\"stack/shop\""),
      "1");
  world_.Pass();
  const auto may_come = [this](const std::string& resource) {
    for (const DispatchAction& dispatch : world_.pending) {
      const v1::Action& action = dispatch.action;
      if (action.resource() != resource) continue;
      return action.has_check() ? action.check().networks_may_come()
                                : action.check_stack().networks_may_come();
    }
    ADD_FAILURE() << "nothing was sent for " << resource;
    return false;
  };
  EXPECT_TRUE(may_come("deployment/proxy"));
  EXPECT_FALSE(may_come("stack/shop")) << "nothing else of the change makes any";
}

TEST_F(CorePreflightTest, AnAgentThatCannotLookHoldsNothingUp) {
  Commit("1");
  world_.faults["deployment/web"] = absl::UnimplementedError("this agent is older");
  world_.faults["deployment/db"] = absl::UnimplementedError("this agent is older");
  world_.Pass();
  world_.Perform();
  world_.faults.clear();
  world_.Settle();
  EXPECT_EQ(Image("web"), "web:1");
}

TEST_F(CorePreflightTest, ALookThatACrashHasCutIsMadeAnew) {
  Commit("1");
  world_.Pass();
  EXPECT_THAT(world_.sent, Contains("check deployment/web"));
  world_.Restart();
  world_.Connect("edge");
  Commit("1");
  // The agent knows of nothing: what was sent never arrived.
  world_.core->OnJournal("edge", 1, v1::JournalReport(), world_.now);
  world_.Settle();
  EXPECT_THAT(world_.sent, Contains("check deployment/web"));
  EXPECT_EQ(Image("web"), "web:1");
}

}  // namespace
}  // namespace fairlead::loop
