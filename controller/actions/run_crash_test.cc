// Runs whose controller is killed, at every point that makes a difference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"

namespace fairlead::actions {
namespace {

using ::testing::HasSubstr;

class RunCrashTest : public ::testing::Test {
 protected:
  RunCrashTest() {
    world_.core.Connect("edge", 16);
    world_.Declare(absl::StrCat(
        DeploymentOf("web"), DeploymentOf("db"), ProcedureOf("inner", {StageOf({RestartOf("db")})}),
        ProcedureOf("p", {StageOf({DeployOf("web"), RestartOf("web")}), StageOf({SleepOf(3000)}),
                          StageOf({Do("RunProcedure", "procedure = \"inner\"")})})));
    world_.Settle();
    world_.core.sent.clear();
  }

  // A new controller; the agent reports what its journal holds.
  void Reboot() {
    const std::vector<loop::DispatchAction> delivered = world_.core.pending;
    world_.Restart();
    world_.DeclareAgain();
    world_.core.Connect("edge", 16);
    v1::JournalReport report;
    for (const auto& dispatch : delivered) report.add_running_action_ids(dispatch.action.id());
    for (const auto& outcome : world_.core.unacknowledged) *report.add_unacknowledged() = outcome;
    world_.core.core->OnJournal("edge", ++session_, report, world_.core.now);
    world_.core.pending = delivered;
  }

  RunWorld world_;
  uint64_t session_ = 0;
};

// The controller dies at its nth pass: before the batch is stored, or after it, with everything
// sent on its way.
TEST_F(RunCrashTest, GoesOnAfterAKillAtAnyPassAndRestartsNothingTwice) {
  for (const bool before : {true, false}) {
    for (int at = 0; at < 14; ++at) {
      SCOPED_TRACE(absl::StrCat(before ? "before" : "after", " the batch of pass ", at));
      world_.core.sent.clear();
      const std::string id = world_.Start("procedure/p");
      world_.Pass();
      for (int pass = 0; pass < at; ++pass) {
        world_.Pass();
        world_.core.Perform();
        world_.core.now += absl::Milliseconds(300);
      }
      if (before) {
        world_.before_store = [] { return false; };
        world_.Pass();
        world_.before_store = nullptr;
      }
      Reboot();
      world_.Settle();
      const v1::Run run = world_.Run(id);
      EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
      EXPECT_EQ(world_.Sent("restart deployment/web"), 1);
      EXPECT_EQ(world_.Sent("restart deployment/db"), 1);
    }
  }
}

TEST_F(RunCrashTest, ARestartThatNeverReachedItsAgentIsSentOnce) {
  const std::string id = world_.Start("procedure/inner");
  world_.Pass();
  ASSERT_EQ(world_.Sent("restart deployment/db"), 1);
  world_.core.pending.clear();
  Reboot();
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Sent("restart deployment/db"), 2);
}

TEST_F(RunCrashTest, ARestartThatTheAgentCannotVouchForIsInterruptedAndNotRepeated) {
  const std::string id = world_.Start("procedure/inner");
  world_.Pass();
  ASSERT_EQ(world_.core.pending.size(), 1u);
  v1::ActionOutcome outcome;
  outcome.set_action_id(world_.core.pending[0].action.id());
  outcome.set_resource("deployment/db");
  outcome.set_status(v1::ACTION_STATUS_INTERRUPTED);
  outcome.set_message("the agent was killed");
  world_.core.pending.clear();
  world_.core.core->OnOutcome("edge", outcome, world_.core.now);
  world_.Settle();
  const v1::Run run = world_.Run(id);
  EXPECT_EQ(run.state(), v1::RUN_STATE_INTERRUPTED);
  EXPECT_THAT(run.message(), HasSubstr("the agent was killed"));
  EXPECT_EQ(world_.Sent("restart deployment/db"), 1);
}

TEST_F(RunCrashTest, AnActionThatNobodyKnowsAnyMoreIsInterrupted) {
  const std::string id = world_.Start("procedure/inner");
  world_.Pass();
  ASSERT_EQ(world_.core.pending.size(), 1u);
  store::StoreBatch lost;
  lost.delete_actions.push_back(world_.core.pending[0].action.id());
  ASSERT_TRUE(world_.core.store->Apply(lost).ok());
  world_.core.pending.clear();
  Reboot();
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_INTERRUPTED);
  EXPECT_EQ(world_.Sent("restart deployment/db"), 1);
}

// What the stage after a sleep does when the controller comes back and git is not read yet.
class UnreadSourceTest : public RunCrashTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(UnreadSourceTest, WaitsUntilTheSourcesAreReadAgain) {
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "resource_sync/main";
  source->name = "main";
  source->revision = "4f2a91c";
  source->files.push_back(std::make_shared<const resources::ParsedFile>(resources::ReadToml(
      "a.toml",
      absl::StrCat(DeploymentOf("far"), ProcedureOf("inner", {StageOf({RestartOf("far")})}),
                   ProcedureOf("far", {StageOf({SleepOf(1000)}), StageOf({GetParam()})})),
      v1::DIALECT_TOML)));
  world_.Declare("[[resource_sync]]\nname = \"main\"\nconfig.url = \"file:///nowhere\"\n");
  world_.core.core->OnRevision(source, {}, world_.core.now);
  world_.Settle();
  const std::string id = world_.Start("procedure/far");
  world_.Pass();
  Reboot();
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_RUNNING) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Run(id).stages(0).state(), v1::RUN_STATE_SUCCEEDED);
  world_.core.core->OnRevision(source, {}, world_.core.now);
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Run(id).stages(1).executions(0).state(), v1::RUN_STATE_SUCCEEDED);
}

INSTANTIATE_TEST_SUITE_P(Executions, UnreadSourceTest,
                         ::testing::Values(DeployOf("far"), Do("BatchDeploy", "pattern = 'fa*'"),
                                           Do("RunProcedure", "procedure = \"inner\"")));

TEST_F(RunCrashTest, ASleepEndsWhenItWouldHaveEnded) {
  const std::string id = world_.Start("procedure/p");
  world_.Settle(absl::Seconds(4));
  ASSERT_EQ(world_.Run(id).stages(1).state(), v1::RUN_STATE_RUNNING);
  const absl::Time began = base::FromProto(world_.Run(id).stages(1).started_at());
  world_.core.now += absl::Seconds(1);
  Reboot();
  world_.Settle();
  EXPECT_LT(base::FromProto(world_.Run(id).stages(1).finished_at()) - began, absl::Seconds(4));
}

}  // namespace
}  // namespace fairlead::actions
