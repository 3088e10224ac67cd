// Builds, and procedures that something comes after: run by themselves when they are needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/actions/testing/run_world.h"
#include "sync/made.h"

namespace fairlead::actions {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kBuild[] = R"(
[[builder]]
name = "local"
config = { type = "Server", params = { server = "edge" } }
[[build]]
name = "api"
config.builder = "local"
config.repo = "team/api"
)";

std::string DeploymentOfBuild(const std::string& config = "", const std::string& head = "") {
  return absl::StrCat("[[deployment]]\nname = \"web\"\n", head,
                      "[deployment.config]\nserver = \"edge\"\nimage = { type = \"Build\", params "
                      "= { build = \"api\" } }\n",
                      config);
}

class RunBuildTest : public ::testing::Test {
 protected:
  RunBuildTest() { world_.core.Connect("edge", 16); }

  std::string ImageOf(const std::string& container) {
    const v1::Container* found = world_.core.hosts["edge"].Find(container);
    return found == nullptr ? "" : found->image();
  }
  std::string BuiltVersion() {
    const auto builds = world_.core.store->Load()->builds;
    return builds.empty() ? "" : sync::VersionText(builds[0].version());
  }
  std::string ReasonOf(const resources::ResourceId& id) {
    const auto& view = *world_.core.core->view();
    return sync::ComputeStatus(view.input, view.result, id).reason();
  }

  RunWorld world_;
};

TEST_F(RunBuildTest, ABuildThatADeploymentNeedsRunsByItself) {
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle();
  const auto runs = world_.Runs("build/api");
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].trigger(), v1::RUN_TRIGGER_NEEDED);
  EXPECT_EQ(runs[0].who(), "deployment/web");
  EXPECT_EQ(runs[0].state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(BuiltVersion(), "0.0.1");
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_EQ(world_.core.ConditionOf("build/api"), v1::CONDITION_CONVERGED);
}

TEST_F(RunBuildTest, WhileItIsBuiltTheDeploymentSaysWhatItWaitsFor) {
  world_.hosts_hang = true;
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle(absl::Seconds(5));
  EXPECT_EQ(world_.Sent("build_image build/api"), 1);
  EXPECT_EQ(ReasonOf({"deployment", "web"}), "waits for build/api: a build is under way");
  EXPECT_EQ(world_.core.ConditionOf("build/api"), v1::CONDITION_PROGRESSING);
}

TEST_F(RunBuildTest, ANewerImageReplacesOnlyWithRedeployOnBuild) {
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle();
  world_.core.head = "5e3b02d8";
  world_.Start("build/api");
  world_.Settle();
  EXPECT_EQ(BuiltVersion(), "0.0.2");
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild("redeploy_on_build = true\n")));
  world_.Settle();
  EXPECT_EQ(ImageOf("web"), "api:0.0.2");
  world_.core.head = "6a4c13e9";
  world_.Start("build/api");
  world_.Settle();
  EXPECT_EQ(ImageOf("web"), "api:0.0.3");
}

TEST_F(RunBuildTest, ADeployTakesTheNewestImage) {
  world_.Declare(
      absl::StrCat(kBuild, DeploymentOfBuild(), ProcedureOf("p", {StageOf({DeployOf("web")})})));
  world_.Settle();
  world_.core.head = "5e3b02d8";
  world_.Start("build/api");
  world_.Settle();
  ASSERT_EQ(ImageOf("web"), "api:0.0.1");
  world_.Start("procedure/p");
  world_.Settle();
  EXPECT_EQ(ImageOf("web"), "api:0.0.2");
}

TEST_F(RunBuildTest, WhatHasNotChangedIsNotBuiltUnlessForced) {
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle();
  const std::string id = world_.Start("build/api");
  world_.Settle();
  EXPECT_EQ(world_.core.images_made, 1);
  // The same image has got one more version, and nothing is replaced for that.
  EXPECT_EQ(BuiltVersion(), "0.0.2");
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
  EXPECT_EQ(world_.core.store->Load()->builds[0].image(), "api:0.0.1");
  std::string log;
  const v1::Run run = world_.Run(id);
  for (const auto& line : run.log()) absl::StrAppend(&log, line.text(), "\n");
  EXPECT_THAT(log, HasSubstr("nothing has changed: 0.0.2 of 4f2a91c, image api:0.0.1"));
  v1::Execution force;
  force.mutable_run_build()->set_build("api");
  force.mutable_run_build()->set_force(true);
  ASSERT_TRUE(world_.driver->engine()
                  .Start({.resource = "build/api", .who = "ann", .execution = force},
                         *world_.core.core->view(), world_.core.now)
                  .ok());
  world_.Settle();
  EXPECT_EQ(world_.core.images_made, 2);
  EXPECT_EQ(BuiltVersion(), "0.0.3");
}

TEST_F(RunBuildTest, TwoRunsThatFollowEachOtherGetTwoVersions) {
  world_.Declare(kBuild);
  world_.Settle();
  v1::Execution force;
  force.mutable_run_build()->set_build("api");
  force.mutable_run_build()->set_force(true);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(world_.driver->engine()
                    .Start({.resource = "build/api", .who = "ann", .execution = force},
                           *world_.core.core->view(), world_.core.now)
                    .ok());
  }
  world_.Settle();
  EXPECT_EQ(BuiltVersion(), "0.0.2");
}

TEST_F(RunBuildTest, AFailedNeededBuildIsNotRepeatedUntilSomethingChanges) {
  world_.core.faults["build/api"] = absl::UnknownError("exit code 1");
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle(absl::Minutes(10));
  EXPECT_EQ(world_.Runs("build/api").size(), 1u);
  EXPECT_EQ(world_.core.ConditionOf("build/api"), v1::CONDITION_DEGRADED);
  EXPECT_THAT(ReasonOf({"deployment", "web"}), HasSubstr("waits for build/api: run/"));
  EXPECT_THAT(ReasonOf({"deployment", "web"}), HasSubstr("exit code 1"));
  EXPECT_EQ(BuiltVersion(), "");
  // Also after a restart.
  world_.Restart();
  world_.DeclareAgain();
  world_.core.Connect("edge", 16);
  world_.Settle();
  EXPECT_EQ(world_.Runs("build/api").size(), 1u);
  world_.core.faults.clear();
  ASSERT_TRUE(
      world_.core.core
          ->OnRequest(
              {.kind = loop::OperatorRequest::Kind::kRetry, .resource = "build/api", .who = "ann"},
              world_.core.now)
          .ok());
  world_.Settle();
  EXPECT_EQ(world_.Runs("build/api").size(), 2u);
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
}

TEST_F(RunBuildTest, AnotherDeclarationIsBuiltAtOnceWhereItIsNeeded) {
  world_.core.faults["build/api"] = absl::UnknownError("exit code 1");
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world_.Settle();
  world_.core.faults.clear();
  world_.Declare(absl::StrCat(kBuild, "config.build_args = \"A=1\"\n", DeploymentOfBuild()));
  world_.Settle();
  EXPECT_EQ(world_.Runs("build/api").size(), 2u);
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
}

TEST_F(RunBuildTest, AFailedBuildLeavesTheOldImageRunning) {
  world_.Declare(absl::StrCat(kBuild, DeploymentOfBuild("redeploy_on_build = true\n")));
  world_.Settle();
  world_.core.faults["build/api"] = absl::UnknownError("exit code 1");
  const std::string id = world_.Start("build/api");
  world_.Settle();
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(BuiltVersion(), "0.0.1");
  EXPECT_EQ(ImageOf("web"), "api:0.0.1");
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST_F(RunBuildTest, ABuilderThatIsOfflineIsLookedAtNowAndThen) {
  RunWorld world;
  world.Declare(kBuild);
  world.Settle();
  const std::string id = world.Start("build/api");
  world.Pass();
  int passes = 0;
  const absl::Time until = world.core.now + absl::Minutes(1);
  while (world.core.now < until && passes < 1000) {
    world.Pass();
    ++passes;
    const absl::Time wake = std::min(world.core.core->wake_at(), world.driver->wake_at());
    world.core.now = std::max(world.core.now, std::min(wake, until));
  }
  EXPECT_LT(passes, 100);
  EXPECT_EQ(world.Run(id).stages(0).executions(0).message(),
            "waits for builder \"local\": edge is offline");
  world.core.Connect("edge", 16);
  world.Settle();
  EXPECT_EQ(world.Run(id).state(), v1::RUN_STATE_SUCCEEDED);
}

TEST_F(RunBuildTest, ANeededBuildOutlivesABuilderThatIsAwayForHours) {
  RunWorld world;
  world.Declare(absl::StrCat(kBuild, DeploymentOfBuild()));
  world.Settle(absl::Minutes(90));
  EXPECT_EQ(world.core.ConditionOf("build/api"), v1::CONDITION_PROGRESSING);
  world.core.Connect("edge", 16);
  world.Settle();
  EXPECT_EQ(world.core.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  // The one that was not done within the hour, and the one after it.
  EXPECT_EQ(world.Runs("build/api").size(), 2u);
}

TEST_F(RunBuildTest, CancelEndsTheJob) {
  world_.hosts_hang = true;
  world_.Declare(kBuild);
  world_.Settle(absl::Seconds(2));
  const std::string id = world_.Start("build/api");
  world_.Settle(absl::Seconds(2));
  ASSERT_EQ(world_.Sent("build_image build/api"), 1);
  ASSERT_TRUE(world_.Cancel(id).ok());
  world_.Settle(absl::Seconds(2));
  EXPECT_EQ(world_.Run(id).state(), v1::RUN_STATE_CANCELLED);
  ASSERT_EQ(world_.cancelled.size(), 1u);
  EXPECT_EQ(world_.cancelled[0], world_.core.pending.back().action.id());
}

// The controller dies at its nth pass, before or after the batch is stored.
TEST_F(RunBuildTest, AKillAtAnyPassBuildsOneVersionAndLosesNone) {
  int version = 0;
  uint64_t session = 0;
  v1::Execution force;
  force.mutable_run_build()->set_build("api");
  force.mutable_run_build()->set_force(true);
  world_.Declare(kBuild);
  world_.Settle();
  for (const bool before : {true, false}) {
    for (int at = 0; at < 6; ++at) {
      SCOPED_TRACE(absl::StrCat(before ? "before" : "after", " the batch of pass ", at));
      const auto run =
          world_.driver->engine().Start({.resource = "build/api", .who = "ann", .execution = force},
                                        *world_.core.core->view(), world_.core.now);
      ASSERT_TRUE(run.ok());
      world_.Pass();
      for (int pass = 0; pass < at; ++pass) {
        world_.Pass();
        world_.core.Perform();
      }
      if (before) {
        world_.before_store = [] { return false; };
        world_.Pass();
        world_.before_store = nullptr;
      }
      const auto delivered = world_.core.pending;
      world_.Restart();
      world_.DeclareAgain();
      world_.core.Connect("edge", 16);
      v1::JournalReport report;
      for (const auto& one : delivered) report.add_running_action_ids(one.action.id());
      for (const auto& one : world_.core.unacknowledged) *report.add_unacknowledged() = one;
      world_.core.core->OnJournal("edge", ++session, report, world_.core.now);
      world_.core.pending = delivered;
      world_.Settle();
      EXPECT_EQ(world_.Run(run->id()).state(), v1::RUN_STATE_SUCCEEDED)
          << world_.Run(run->id()).DebugString();
      EXPECT_EQ(BuiltVersion(), absl::StrCat("0.0.", ++version));
    }
  }
}

TEST_F(RunBuildTest, AProcedureThatSomethingComesAfterRunsOnceForEachSpec) {
  const std::string procedure = ProcedureOf("migrate", {StageOf({SleepOf(10)})});
  const auto web = [](const std::string& image) {
    return absl::StrCat(
        "[[deployment]]\nname = \"web\"\nafter = [\"procedure/migrate\"]\nconfig.server "
        "= \"edge\"\nconfig.image = \"",
        image, "\"\n");
  };
  world_.Declare(absl::StrCat(procedure, web("app:1")));
  world_.Settle();
  ASSERT_EQ(world_.Runs("procedure/migrate").size(), 1u);
  EXPECT_EQ(world_.Runs("procedure/migrate")[0].trigger(), v1::RUN_TRIGGER_NEEDED);
  EXPECT_EQ(ImageOf("web"), "app:1");
  // Healing needs none.
  world_.core.hosts["edge"].Find("web")->set_state(v1::CONTAINER_STATE_EXITED);
  world_.core.hosts["edge"].Find("web")->set_killed(true);
  world_.core.Report("edge");
  world_.Settle();
  EXPECT_EQ(world_.Runs("procedure/migrate").size(), 1u);
  EXPECT_EQ(world_.core.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  world_.Declare(absl::StrCat(procedure, web("app:2")));
  world_.Settle();
  EXPECT_EQ(world_.Runs("procedure/migrate").size(), 2u);
  EXPECT_EQ(ImageOf("web"), "app:2");
}

TEST_F(RunBuildTest, AProcedureThatFailsHoldsUpItsDependentAndIsNotRepeated) {
  world_.core.faults["deployment/db"] = absl::InvalidArgumentError("no such image");
  world_.Declare(absl::StrCat(
      DeploymentOf("db"), ProcedureOf("migrate", {StageOf({DeployOf("db")})}),
      "[[deployment]]\nname = \"web\"\nafter = [\"procedure/migrate\"]\nconfig.server = "
      "\"edge\"\nconfig.image = \"app:1\"\n"));
  world_.Settle(absl::Minutes(5));
  EXPECT_EQ(world_.Runs("procedure/migrate").size(), 1u);
  EXPECT_EQ(ImageOf("web"), "");
  EXPECT_THAT(ReasonOf({"deployment", "web"}), HasSubstr("waits for procedure/migrate: run/"));
  EXPECT_THAT(world_.core.sent, Not(Contains("apply_container deployment/web")));
}

}  // namespace
}  // namespace fairlead::actions
