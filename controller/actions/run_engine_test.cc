#include "controller/actions/run_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RunEngineTest : public ::testing::Test {
 protected:
  void Declare(const std::string& toml) {
    world_.core.Connect("edge", 16);
    world_.Declare(absl::StrCat(DeploymentOf("web"), DeploymentOf("db"),
                                DeploymentOf("off", "deploy = false\n"), toml));
    world_.Settle();
    world_.core.sent.clear();
  }
  v1::Run RunToEnd(const std::string& resource, absl::Duration patience = absl::Seconds(30)) {
    const std::string id = world_.Start(resource);
    world_.Settle(patience);
    return world_.Run(id);
  }
  static const v1::RunExecution& Execution(const v1::Run& run, int stage, int number = 0) {
    return run.stages(stage).executions(number);
  }

  RunWorld world_;
};

TEST_F(RunEngineTest, StagesFollowEachOther) {
  Declare(ProcedureOf(
      "p", {StageOf({RestartOf("db")}), StageOf({SleepOf(2000)}), StageOf({RestartOf("web")})}));
  const std::string id = world_.Start("procedure/p");
  world_.Pass();
  EXPECT_THAT(world_.core.sent, ElementsAre("restart deployment/db"));
  EXPECT_EQ(Execution(world_.Run(id), 0).state(), v1::RUN_STATE_RUNNING);
  EXPECT_NE(Execution(world_.Run(id), 0).action_id(), "");
  world_.Settle(absl::Seconds(4));
  EXPECT_EQ(Execution(world_.Run(id), 1).state(), v1::RUN_STATE_RUNNING);
  world_.Settle();
  const v1::Run run = world_.Run(id);
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
  EXPECT_THAT(world_.core.sent, ElementsAre("restart deployment/db", "restart deployment/web"));
  EXPECT_EQ(run.trigger(), v1::RUN_TRIGGER_USER);
  EXPECT_EQ(run.who(), "ann");
  EXPECT_TRUE(world_.core.HasEvent("run-succeeded", "procedure/p"));
  EXPECT_GE(run.log_size(), 8);
}

TEST_F(RunEngineTest, ExecutionsOfAStageRunSideBySideUpToTheLimit) {
  Declare(ProcedureOf(
      "p", {StageOf({SleepOf(1000), SleepOf(1000), SleepOf(1000)}, "max_parallel = 2\n")}));
  const std::string id = world_.Start("procedure/p");
  const absl::Time began = world_.core.now;
  world_.Pass();
  EXPECT_EQ(Execution(world_.Run(id), 0, 1).state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(Execution(world_.Run(id), 0, 2).state(), v1::RUN_STATE_WAITING);
  world_.Settle();
  const v1::Run run = world_.Run(id);
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_GE(base::FromProto(run.finished_at()) - began, absl::Seconds(2));
  EXPECT_LT(base::FromProto(run.finished_at()) - began, absl::Seconds(3));
}

TEST_F(RunEngineTest, ADeployWaitsUntilItHasConverged) {
  Declare(absl::StrCat(ProcedureOf("p", {StageOf({DeployOf("web")})})));
  world_.core.hosts["edge"].Remove("web");
  const std::string id = world_.Start("procedure/p");
  world_.core.Report("edge");
  world_.Pass();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_RUNNING);
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED) << world_.Run(id).DebugString();
  EXPECT_THAT(world_.core.sent, ElementsAre("apply_container deployment/web"));
}

TEST_F(RunEngineTest, ADeployOfWhatIsOnlyWatchedActsThisOnce) {
  Declare(ProcedureOf("p", {StageOf({DeployOf("off")})}));
  EXPECT_EQ(world_.core.hosts["edge"].Find("off"), nullptr);
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
  EXPECT_NE(world_.core.hosts["edge"].Find("off"), nullptr);
  EXPECT_EQ(world_.core.ConditionOf("deployment/off"), v1::CONDITION_OBSERVED);
  world_.core.hosts["edge"].Remove("off");
  world_.core.Report("edge");
  world_.Settle();
  EXPECT_EQ(world_.core.hosts["edge"].Find("off"), nullptr);
}

TEST_F(RunEngineTest, StopAndStartHoldAndReleaseButNotWhatAPersonHolds) {
  const auto params = [](const std::string& type) { return Do(type, "deployment = \"web\""); };
  Declare(absl::StrCat(ProcedureOf("down", {StageOf({params("StopDeployment")})}),
                       ProcedureOf("up", {StageOf({params("StartDeployment")})})));
  EXPECT_EQ(RunToEnd("procedure/down").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
  EXPECT_EQ(RunToEnd("procedure/up").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  ASSERT_TRUE(world_.core.core
                  ->OnRequest({.kind = loop::OperatorRequest::Kind::kStop,
                               .resource = "deployment/web",
                               .who = "bob",
                               .why = "disk swap"},
                              world_.core.now)
                  .ok());
  world_.Settle();
  const v1::Run run = RunToEnd("procedure/up");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(run.message(), HasSubstr("held stopped by bob: disk swap"));
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
}

TEST_F(RunEngineTest, AFailedProcedureAlertsUnlessItIsNotTo) {
  const std::string stage = StageOf({DeployOf("web")});
  Declare(absl::StrCat(ProcedureOf("loud", {stage}),
                       ProcedureOf("quiet", {stage}, "config.failure_alert = false\n"),
                       ProcedureOf("well", {StageOf({SleepOf(1)})})));
  ASSERT_TRUE(world_.core.core
                  ->OnRequest({.kind = loop::OperatorRequest::Kind::kStop,
                               .resource = "deployment/web",
                               .who = "bob"},
                              world_.core.now)
                  .ok());
  world_.Settle();
  for (const char* const name : {"procedure/loud", "procedure/quiet", "procedure/well"}) {
    RunToEnd(name);
  }
  ASSERT_TRUE(world_.core.HasEvent("run-failed", "procedure/quiet"));
  EXPECT_FALSE(world_.core.HasEvent("procedure-failed", "procedure/quiet"));
  EXPECT_FALSE(world_.core.HasEvent("procedure-failed", "procedure/well"));
  const auto& events = world_.core.events;
  const auto alert = std::find_if(events.begin(), events.end(), [](const v1::Event& event) {
    return event.type() == "procedure-failed";
  });
  ASSERT_NE(alert, events.end());
  EXPECT_EQ(alert->resource(), "procedure/loud");
  EXPECT_TRUE(alert->warning());
  EXPECT_THAT(alert->message(), HasSubstr("stage \"s\": Deploy deployment/web: held stopped"));
}

TEST_F(RunEngineTest, ACancelledProcedureAlertsNobody) {
  Declare(ProcedureOf("p", {StageOf({SleepOf(60000)})}));
  const std::string id = world_.Start("procedure/p");
  world_.Pass();
  ASSERT_TRUE(world_.Cancel(id).ok());
  world_.Settle();
  EXPECT_TRUE(world_.core.HasEvent("run-cancelled", "procedure/p"));
  EXPECT_FALSE(world_.core.HasEvent("procedure-failed", "procedure/p"));
}

TEST_F(RunEngineTest, StopsWhatHasFailedAndSaysWhyAServerIsMissing) {
  Declare(
      absl::StrCat("[[deployment]]\nname = \"lost\"\ndeploy = false\nconfig.server = \"edge\"\n",
                   ProcedureOf("stop", {StageOf({Do("StopDeployment", "deployment = \"web\"")})}),
                   ProcedureOf("lost", {StageOf({DeployOf("lost")})})));
  v1::Run run = RunToEnd("procedure/lost");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED) << run.DebugString();
  EXPECT_THAT(run.message(), HasSubstr("image"));
  world_.core.hosts["edge"].Find("web")->set_state(v1::CONTAINER_STATE_EXITED);
  world_.core.Report("edge");
  EXPECT_EQ(RunToEnd("procedure/stop").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
}

TEST_F(RunEngineTest, AFailureSkipsWhatFollows) {
  Declare(
      ProcedureOf("p", {StageOf({RestartOf("web"), SleepOf(1000)}), StageOf({RestartOf("db")})}));
  world_.core.faults["deployment/web"] = absl::UnavailableError("engine on fire");
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(run.message(), HasSubstr("RestartDeployment deployment/web: engine on fire"));
  // What ran beside it came to its end.
  EXPECT_EQ(Execution(run, 0, 1).state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(Execution(run, 1).state(), v1::RUN_STATE_SKIPPED);
  EXPECT_EQ(world_.Sent("restart deployment/db"), 0);
}

TEST_F(RunEngineTest, ContinueOnErrorGoesOn) {
  Declare(ProcedureOf("p", {StageOf({RestartOf("web")}, "continue_on_error = true\n"),
                            StageOf({RestartOf("db")})}));
  world_.core.faults["deployment/web"] = absl::UnavailableError("engine on fire");
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_THAT(run.message(), HasSubstr("errors in stage \"s\""));
  EXPECT_EQ(run.stages(0).state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(world_.Sent("restart deployment/db"), 1);
}

TEST_F(RunEngineTest, RetriesTryAgainWithAPause) {
  Declare(ProcedureOf("p", {StageOf({RestartOf("web")}, "retries = 2\n")}));
  world_.core.faults["deployment/web"] = absl::UnavailableError("engine on fire");
  const v1::Run failed = RunToEnd("procedure/p");
  EXPECT_EQ(failed.state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(Execution(failed, 0).attempts(), 3u);
  EXPECT_EQ(world_.Sent("restart deployment/web"), 3);

  const std::string id = world_.Start("procedure/p");
  world_.Settle(absl::Milliseconds(500));
  EXPECT_EQ(Execution(world_.Run(id), 0).state(), v1::RUN_STATE_WAITING);
  world_.core.faults.clear();
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED);
}

TEST_F(RunEngineTest, WhatIsNotDoneInTimeHasFailedAndIsCalledOff) {
  Declare(ProcedureOf("p", {StageOf({RestartOf("web"), SleepOf(60'000)}, "timeout = \"5s\"\n")}));
  world_.hosts_hang = true;
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(Execution(run, 0).message(), HasSubstr("not done within 5s"));
  EXPECT_EQ(Execution(run, 0, 1).state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(world_.cancelled, ElementsAre(Execution(run, 0).action_id()));
}

TEST_F(RunEngineTest, DisabledStagesAndExecutionsAreSkipped) {
  Declare(ProcedureOf(
      "p", {StageOf({RestartOf("web")}, "enabled = false\n"),
            StageOf({"{ enabled = false, execution = { type = \"Deploy\", params = { deployment = "
                     "\"db\" } } }",
                     Do("None")})}));
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(run.stages(0).state(), v1::RUN_STATE_SKIPPED);
  EXPECT_EQ(Execution(run, 1).state(), v1::RUN_STATE_SKIPPED);
  EXPECT_EQ(Execution(run, 1, 1).state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_THAT(world_.core.sent, IsEmpty());
}

TEST_F(RunEngineTest, WhatIsNotActedOnFailsTheRunByName) {
  Declare(ProcedureOf("p", {StageOf({Do("ClearRepoCache")}, "retries = 5\n")}));
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(run.message(), HasSubstr("ClearRepoCache is not carried out: "));
}

TEST_F(RunEngineTest, ABackupIsDoneWhenItsCopyIsThere) {
  Declare(ProcedureOf("p", {StageOf({Do("BackupCoreDatabase")})}));
  EXPECT_THAT(RunToEnd("procedure/p").message(), HasSubstr("keeps no database"));
  std::vector<std::string> asked;
  world_.driver->SetBackup([&](const std::string& id) { asked.push_back(id); });
  const std::string id = world_.Start("procedure/p");
  world_.Settle(absl::Minutes(1));
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_RUNNING);
  world_.driver->engine().OnBackedUp(asked[0], "/data/copy.db", world_.core.now);
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_THAT(world_.Run(id).DebugString(), HasSubstr("copied to /data/copy.db"));
  const std::string other = world_.Start("procedure/p");
  world_.Settle(absl::Minutes(1));
  world_.driver->engine().OnBackedUp(asked.back(), absl::ResourceExhaustedError("disk is full"),
                                     world_.core.now);
  world_.Settle();
  EXPECT_THAT(world_.Run(other).message(), HasSubstr("disk is full"));
}

TEST_F(RunEngineTest, AGlobalUpdatePullsWhatAsksForIt) {
  world_.core.Connect("edge", 16);
  Declare(absl::StrCat(DeploymentOf("auto") + "config.auto_update = true\n",
                       DeploymentOf("fixed") + "config.poll_for_updates = true\n",
                       ProcedureOf("p", {StageOf({Do("GlobalAutoUpdate")})})));
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
  EXPECT_EQ(Execution(run, 0).of(), "GlobalAutoUpdate");
  EXPECT_EQ(world_.Sent("pull_images deployment/auto"), 1);
  EXPECT_EQ(world_.Sent("pull_images deployment/fixed"), 0);
  Declare(ProcedureOf("p", {StageOf({Do("GlobalAutoUpdate")})}));
  const v1::Run nothing = RunToEnd("procedure/p");
  EXPECT_EQ(Execution(nothing, 0).message(), "nothing that is declared has auto_update");
}

TEST_F(RunEngineTest, ANestedProcedureIsARunOfItsOwn) {
  Declare(absl::StrCat(ProcedureOf("inner", {StageOf({RestartOf("web")})}),
                       ProcedureOf("outer", {StageOf({Do("RunProcedure", "procedure = \"inner\"")}),
                                             StageOf({RestartOf("db")})})));
  const v1::Run run = RunToEnd("procedure/outer");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
  EXPECT_THAT(world_.core.sent, ElementsAre("restart deployment/web", "restart deployment/db"));
  const std::vector<v1::Run> inner = world_.Runs("procedure/inner");
  ASSERT_EQ(inner.size(), 1u);
  EXPECT_EQ(inner[0].id(), Execution(run, 0).run_id());
  EXPECT_EQ(inner[0].parent(), run.id());
  EXPECT_EQ(inner[0].trigger(), v1::RUN_TRIGGER_PROCEDURE);
}

TEST_F(RunEngineTest, AFailureOfANestedProcedureIsTheExecutions) {
  Declare(
      absl::StrCat(ProcedureOf("inner", {StageOf({RestartOf("web")})}),
                   ProcedureOf("outer", {StageOf({Do("RunProcedure", "procedure = \"inner\"")})})));
  world_.core.faults["deployment/web"] = absl::UnavailableError("engine on fire");
  const v1::Run run = RunToEnd("procedure/outer");
  EXPECT_EQ(run.state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(run.message(), HasSubstr("engine on fire"));
}

TEST_F(RunEngineTest, RunsOfOneProcedureComeOneAfterTheOther) {
  Declare(ProcedureOf("p", {StageOf({SleepOf(1000)})}));
  const std::string first = world_.Start("procedure/p");
  const std::string second = world_.Start("procedure/p");
  world_.Pass();
  EXPECT_EQ(world_.Run(first).state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(world_.Run(second).state(), v1::RUN_STATE_WAITING);
  world_.Settle();
  EXPECT_EQ(world_.Run(second).state(), v1::RUN_STATE_SUCCEEDED);
}

TEST_F(RunEngineTest, ABatchIsOneExecutionForEachResource) {
  Declare(absl::StrCat(
      DeploymentOf("web-1", "tags = [\"edge\"]\ndeploy = false\n"),
      DeploymentOf("web-2", "deploy = false\n"),
      ProcedureOf("p", {StageOf({Do("BatchDeploy", "pattern = 'web-*, \\^db$\\'")})}),
      ProcedureOf("tagged", {StageOf({Do("BatchDeploy", "pattern = '*', tags = [\"edge\"]")})})));
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED) << run.DebugString();
  ASSERT_EQ(run.stages(0).executions_size(), 3);
  EXPECT_EQ(Execution(run, 0).target(), "deployment/db");
  EXPECT_EQ(Execution(run, 0, 2).target(), "deployment/web-2");
  EXPECT_EQ(Execution(run, 0, 2).of(), "BatchDeploy \"web-*, \\^db$\\\"");
  const v1::Run tagged = RunToEnd("procedure/tagged");
  ASSERT_EQ(tagged.stages(0).executions_size(), 1);
  EXPECT_EQ(Execution(tagged, 0).target(), "deployment/web-1");
}

TEST_F(RunEngineTest, APatternThatMeansNothingIsAWarning) {
  Declare(ProcedureOf("p", {StageOf({Do("BatchDeploy", "pattern = 'nix-*'")})}));
  const v1::Run run = RunToEnd("procedure/p");
  EXPECT_EQ(run.state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(Execution(run, 0).state(), v1::RUN_STATE_SKIPPED);
  bool warned = false;
  for (const auto& line : run.log()) {
    warned = warned || (line.warning() && line.text().find("nix-*") != std::string::npos);
  }
  EXPECT_TRUE(warned);
}

TEST_F(RunEngineTest, WhatCannotBeRunIsRefused) {
  Declare(absl::StrCat(ProcedureOf("a", {StageOf({Do("RunProcedure", "procedure = \"b\"")})}),
                       ProcedureOf("b", {StageOf({Do("RunProcedure", "procedure = \"a\"")})}),
                       ProcedureOf("lost", {StageOf({DeployOf("nowhere")})})));
  const auto start = [this](const std::string& resource) {
    return world_.driver->engine()
        .Start({.resource = resource, .trigger = {}, .who = "ann", .why = "", .parent = ""},
               *world_.core.core->view(), world_.core.now)
        .status();
  };
  EXPECT_THAT(std::string(start("procedure/a").message()),
              HasSubstr("runs itself: procedure/a -> procedure/b -> procedure/a"));
  EXPECT_THAT(std::string(start("procedure/lost").message()), HasSubstr("\"nowhere\""));
  EXPECT_TRUE(absl::IsNotFound(start("procedure/none")));
  EXPECT_TRUE(absl::IsInvalidArgument(start("deployment/web")));
}

TEST_F(RunEngineTest, ASyncIsFetchedAndWaitedFor) {
  Declare("[[resource_sync]]\nname = \"main\"\nconfig.url = \"file:///nowhere\"\n");
  const std::string id = world_.Start("resource_sync/main");
  world_.Pass();
  ASSERT_EQ(world_.fetches.size(), 1u);
  EXPECT_EQ(world_.fetches[0].sync, "main");
  world_.driver->engine().OnFetched(world_.fetches[0].request_id,
                                    absl::UnavailableError("no such host"), world_.core.now);
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(world_.Run(id).message(), HasSubstr("no such host"));

  const std::string second = world_.Start("resource_sync/main");
  world_.Pass();
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "resource_sync/main";
  source->name = "main";
  source->revision = "4f2a91c";
  source->files.push_back(std::make_shared<const resources::ParsedFile>(
      resources::ReadToml("a.toml", DeploymentOf("new"), v1::DIALECT_TOML)));
  world_.core.core->OnRevision(source, {}, world_.core.now);
  world_.driver->engine().OnFetched(world_.fetches[1].request_id, std::string("4f2a91c"),
                                    world_.core.now);
  world_.Pass();
  EXPECT_EQ(world_.Run(second).state(), v1::RUN_STATE_RUNNING);
  world_.Settle();
  EXPECT_EQ(world_.Run(second).state(), v1::RUN_STATE_SUCCEEDED)
      << world_.Run(second).DebugString();
  EXPECT_NE(world_.core.hosts["edge"].Find("new"), nullptr);
}

}  // namespace
}  // namespace fairlead::actions
