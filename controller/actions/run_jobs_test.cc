// Executions that are one command to one host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunJobsTest : public ::testing::Test {
 protected:
  // A run of one execution.
  std::string RunOf(const std::string& type, const std::string& params,
                    const std::string& more = "") {
    world_.Declare(absl::StrCat(more, ProcedureOf("p", {StageOf({Do(type, params)})})));
    world_.Settle();
    world_.core.sent.clear();
    const std::string id = world_.Start("procedure/p");
    world_.Settle();
    return id;
  }
  v1::RunExecution FirstOf(const std::string& id) { return world_.Run(id).stages(0).executions(0); }

  RunWorld world_;
};

struct Case {
  std::string type;
  std::string params;
  std::string sent;
};

class RunOneJobTest : public RunJobsTest, public ::testing::WithParamInterface<Case> {};

TEST_P(RunOneJobTest, SendsItOnceAndEndsWithIt) {
  world_.core.Connect("edge", 16);
  const std::string id = RunOf(GetParam().type, GetParam().params, DeploymentOf("web"));
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Sent(GetParam().sent), 1);
}

constexpr char kServer[] = "server = \"edge\"";
constexpr char kContainer[] = "server = \"edge\", container = \"c\"";
constexpr char kObject[] = "server = \"edge\", name = \"n\"";
INSTANTIATE_TEST_SUITE_P(
    Types, RunOneJobTest,
    ::testing::Values(Case{"PullDeployment", "deployment = \"web\"", "pull_images deployment/web"},
                      Case{"PauseDeployment", "deployment = \"web\"", "pause deployment/web"},
                      Case{"UnpauseDeployment", "deployment = \"web\"", "unpause deployment/web"},
                      Case{"DestroyDeployment", "deployment = \"web\"", "remove deployment/web"},
                      Case{"StartContainer", kContainer, "act_on_container server/edge"},
                      Case{"RestartContainer", kContainer, "act_on_container server/edge"},
                      Case{"PauseContainer", kContainer, "act_on_container server/edge"},
                      Case{"UnpauseContainer", kContainer, "act_on_container server/edge"},
                      Case{"StopContainer", kContainer, "act_on_container server/edge"},
                      Case{"DestroyContainer", kContainer, "act_on_container server/edge"},
                      Case{"StopAllContainers", kServer, "act_on_container server/edge"},
                      Case{"PruneImages", kServer, "prune_host server/edge"},
                      Case{"PruneSystem", kServer, "prune_host server/edge"},
                      Case{"DeleteVolume", kObject, "remove_from_host server/edge"}),
    [](const auto& tested) { return tested.param.type; });

TEST_F(RunJobsTest, WhatIsDestroyedStaysGoneUntilADeploy) {
  world_.core.Connect("edge", 16);
  RunOf("DestroyDeployment", "deployment = \"web\"", DeploymentOf("web"));
  EXPECT_THAT(world_.core.sent, ElementsAre("stop deployment/web", "remove deployment/web"));
  EXPECT_EQ(world_.core.hosts["edge"].Find("web"), nullptr);
  world_.Settle(absl::Minutes(10));
  EXPECT_EQ(world_.core.hosts["edge"].Find("web"), nullptr);
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
  RunOf("Deploy", "deployment = \"web\"", DeploymentOf("web"));
  EXPECT_NE(world_.core.hosts["edge"].Find("web"), nullptr);
}

TEST_F(RunJobsTest, AStopMayHaveASignalAndATimeOfItsOwn) {
  world_.core.Connect("edge", 16);
  const auto stop_of = [this](const std::string& type, const std::string& more) {
    world_.hosts_hang = false;
    RunOf("Deploy", "deployment = \"web\"", DeploymentOf("web"));
    world_.hosts_hang = true;
    const std::string id = RunOf(type, "deployment = \"web\"" + more, DeploymentOf("web"));
    const v1::Action action = world_.core.pending.back().action;
    EXPECT_TRUE(action.has_stop()) << action.DebugString();
    world_.hosts_hang = false;
    world_.Settle();
    EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED);
    return absl::StrCat(action.stop().signal(), " ", action.stop().timeout_seconds(), " ",
                        action.deadline().seconds());
  };
  EXPECT_EQ(stop_of("StopDeployment", ""), "SIGTERM 10 190");
  EXPECT_EQ(stop_of("StopDeployment", ", signal = \"SIGINT\", time = 300"), "SIGINT 300 480");
  EXPECT_EQ(stop_of("StopDeployment", ", time = 0"), "SIGTERM 0 190");
  EXPECT_EQ(stop_of("StopDeployment", ""), "SIGTERM 10 190") << "a wish ends with its run";
  EXPECT_EQ(stop_of("DestroyDeployment", ", signal = \"SIGQUIT\""), "SIGQUIT 10 190");
}

TEST_F(RunJobsTest, WhatAPersonHoldsIsNotPausedOrDestroyed) {
  world_.core.Connect("edge", 16);
  world_.Declare(DeploymentOf("web"));
  world_.Settle();
  ASSERT_TRUE(world_.core.core
                  ->OnRequest({.kind = loop::OperatorRequest::Kind::kStop,
                               .resource = "deployment/web",
                               .who = "ann"},
                              world_.core.now)
                  .ok());
  const std::string id = RunOf("PauseDeployment", "deployment = \"web\"", DeploymentOf("web"));
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(FirstOf(id).message(), HasSubstr("held stopped by ann"));
  EXPECT_EQ(world_.Sent("pause deployment/web"), 0);
}

TEST_F(RunJobsTest, AnOfflineServerIsWaitedForUntilTheStagesTimeout) {
  const std::string id = RunOf("PruneImages", kServer);
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(FirstOf(id).message(), "waits for server edge, which is offline");
  world_.Settle(absl::Hours(2));
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(FirstOf(id).message(), HasSubstr("not done within 1h"));
  // It is not sent later.
  world_.core.Connect("edge", 16);
  world_.Settle();
  EXPECT_EQ(world_.Sent("prune_host server/edge"), 0);
}

TEST_F(RunJobsTest, AFailureIsTheExecutions) {
  world_.core.Connect("edge", 16);
  world_.core.faults["server/edge"] = absl::NotFoundError("no container c");
  const std::string id = RunOf("StopContainer", kContainer);
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(FirstOf(id).message(), "no container c");
}

TEST_F(RunJobsTest, OutputGoesToTheLogAsItComesAndIsStoredAtIntervals) {
  world_.core.Connect("edge", 16);
  world_.hosts_hang = true;
  const std::string id = RunOf("PruneImages", kServer);
  ASSERT_FALSE(world_.core.pending.empty());
  v1::ActionLog log;
  log.set_action_id(world_.core.pending.back().action.id());
  log.add_lines("removed sha256:1");
  world_.driver->OnActionLog(log, world_.core.now);
  loop::CoreOutput output = world_.core.core->Pass(world_.core.now);
  world_.driver->AfterPass(*world_.core.core, output, world_.core.now);
  ASSERT_TRUE(world_.core.store->Apply(output.batch).ok());
  ASSERT_EQ(output.run_lines.size(), 1u);
  EXPECT_EQ(output.run_lines[0].run_id, id);
  EXPECT_EQ(output.run_lines[0].lines.back().text(), "removed sha256:1");
  world_.Settle(absl::Seconds(10));
  EXPECT_EQ(world_.Run(id).log().rbegin()->text(), "removed sha256:1");
}

TEST_F(RunJobsTest, HowFarAJobIsStandsInTheRecord) {
  world_.core.Connect("edge", 16);
  world_.hosts_hang = true;
  const std::string id = RunOf("PruneImages", kServer);
  v1::ActionProgress progress;
  progress.set_action_id("another");
  progress.set_phase("removing");
  world_.driver->OnProgress(progress, world_.core.now);
  world_.Settle(absl::Seconds(10));
  EXPECT_EQ(FirstOf(id).message(), "");
  progress.set_action_id(world_.core.pending.back().action.id());
  progress.set_detail("what is not used\nsha256:1");
  world_.driver->OnProgress(progress, world_.core.now);
  world_.Settle(absl::Seconds(10));
  EXPECT_EQ(FirstOf(id).message(), "removing what is not used");
}

TEST_F(RunJobsTest, TheLogIsBoundedInLinesAndBytes) {
  world_.core.Connect("edge", 16);
  world_.hosts_hang = true;
  const std::string id = RunOf("PruneImages", kServer);
  v1::ActionLog log;
  log.set_action_id(world_.core.pending.back().action.id());
  for (int i = 0; i < 3000; ++i) log.add_lines(absl::StrCat("line ", i));
  world_.driver->OnActionLog(log, world_.core.now);
  EXPECT_EQ(world_.driver->engine().FindOpen(id)->log_size(), 2000);
  EXPECT_GT(world_.driver->engine().FindOpen(id)->lines_dropped(), 1000u);
  log.clear_lines();
  for (int i = 0; i < 1000; ++i) log.add_lines(std::string(900, 'x'));
  world_.driver->OnActionLog(log, world_.core.now);
  EXPECT_LT(world_.driver->engine().FindOpen(id)->ByteSizeLong(), (256u << 10) + 20'000u);
}

class RunJobCrashTest : public RunJobsTest {
 protected:
  // The action is sent; the store forgets it, and the controller comes back.
  std::string SendAndForget(const std::string& type) {
    world_.core.Connect("edge", 16);
    world_.hosts_hang = true;
    const std::string id = RunOf(type, kContainer);
    store::StoreBatch lost;
    lost.delete_actions.push_back(world_.core.pending.back().action.id());
    EXPECT_TRUE(world_.core.store->Apply(lost).ok());
    world_.Restart();
    world_.hosts_hang = false;
    world_.DeclareAgain();
    world_.core.Connect("edge", 16);
    world_.Settle();
    return id;
  }
};

TEST_F(RunJobCrashTest, AnEnsureJobThatNobodyKnowsIsSentAgain) {
  const std::string id = SendAndForget("StopContainer");
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Sent("act_on_container server/edge"), 2);
}

TEST_F(RunJobCrashTest, AOnceJobThatNobodyKnowsIsInterrupted) {
  const std::string id = SendAndForget("RestartContainer");
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_INTERRUPTED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Sent("act_on_container server/edge"), 1);
}

TEST_F(RunJobCrashTest, AJobThatNeverReachedItsAgentIsSentAgain) {
  world_.core.Connect("edge", 16);
  world_.hosts_hang = true;
  const std::string id = RunOf("RestartContainer", kContainer);
  world_.core.pending.clear();
  world_.hosts_hang = false;
  world_.core.core->OnJournal("edge", 2, {}, world_.core.now);
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_EQ(world_.Sent("act_on_container server/edge"), 2);
}

}  // namespace
}  // namespace fairlead::actions
