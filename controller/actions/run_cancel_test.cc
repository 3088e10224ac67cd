// Runs that a person ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunCancelTest : public ::testing::Test {
 protected:
  void Declare(const std::string& toml) {
    world_.core.Connect("edge", 16);
    world_.Declare(absl::StrCat(DeploymentOf("web"), DeploymentOf("db"), toml));
    world_.Settle();
    world_.core.sent.clear();
  }

  RunWorld world_;
};

TEST_F(RunCancelTest, EndsAtOnceAndNothingFollows) {
  Declare(ProcedureOf("p", {StageOf({SleepOf(60'000)}), StageOf({RestartOf("web")})}));
  const std::string id = world_.Start("procedure/p");
  world_.Pass();
  ASSERT_TRUE(world_.Cancel(id).ok());
  world_.Pass();
  const v1::Run run = world_.Run(id);
  EXPECT_EQ(run.state(), v1::RUN_STATE_CANCELLED);
  EXPECT_THAT(run.message(), HasSubstr("cancelled by ann"));
  EXPECT_EQ(run.stages(1).executions(0).state(), v1::RUN_STATE_CANCELLED);
  world_.Settle(absl::Minutes(2));
  EXPECT_THAT(world_.core.sent, IsEmpty());
  EXPECT_TRUE(absl::IsFailedPrecondition(world_.Cancel(id)));
  EXPECT_TRUE(world_.core.HasEvent("run-cancelled", "procedure/p"));
}

TEST_F(RunCancelTest, EndsTheActionUnderWay) {
  Declare(ProcedureOf("p", {StageOf({RestartOf("web")})}));
  world_.hosts_hang = true;
  const std::string id = world_.Start("procedure/p");
  world_.Pass();
  ASSERT_EQ(world_.Sent("restart deployment/web"), 1);
  ASSERT_TRUE(world_.Cancel(id).ok());
  world_.Pass();
  EXPECT_THAT(world_.cancelled, ElementsAre(world_.core.pending[0].action.id()));
}

TEST_F(RunCancelTest, ARestartThatWasNotSentIsNotSentAnyMore) {
  Declare(absl::StrCat(ProcedureOf("one", {StageOf({RestartOf("web")})}),
                       ProcedureOf("two", {StageOf({RestartOf("web")})})));
  world_.hosts_hang = true;
  world_.Start("procedure/one");
  world_.Pass();
  const std::string second = world_.Start("procedure/two");
  world_.Pass();
  EXPECT_EQ(world_.Sent("restart deployment/web"), 1);
  ASSERT_TRUE(world_.Cancel(second).ok());
  world_.hosts_hang = false;
  world_.Settle();
  EXPECT_EQ(world_.Sent("restart deployment/web"), 1);
  EXPECT_THAT(world_.cancelled, IsEmpty());
}

TEST_F(RunCancelTest, EndsTheRunsThatItHasStarted) {
  Declare(
      absl::StrCat(ProcedureOf("inner", {StageOf({SleepOf(60'000)})}),
                   ProcedureOf("outer", {StageOf({Do("RunProcedure", "procedure = \"inner\"")})})));
  const std::string id = world_.Start("procedure/outer");
  world_.Pass();
  ASSERT_TRUE(world_.Cancel(id).ok());
  world_.Pass();
  const std::vector<v1::Run> inner = world_.Runs("procedure/inner");
  ASSERT_EQ(inner.size(), 1u);
  EXPECT_EQ(inner[0].state(), v1::RUN_STATE_CANCELLED);
}

TEST_F(RunCancelTest, AProcedureCancelsAnother) {
  Declare(absl::StrCat(
      ProcedureOf("long", {StageOf({SleepOf(60'000)})}),
      ProcedureOf("ender", {StageOf({Do("CancelProcedure", "procedure = \"long\"")})})));
  const std::string id = world_.Start("procedure/long");
  world_.Pass();
  const std::string ender = world_.Start("procedure/ender");
  world_.Settle(absl::Seconds(1));
  EXPECT_EQ(world_.Run(ender).state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_CANCELLED);
}

}  // namespace
}  // namespace fairlead::actions
