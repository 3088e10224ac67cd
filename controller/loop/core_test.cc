#include "controller/loop/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kDb[] =
    "[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"db\"\n"
    "config.server = \"edge\"\nconfig.image = \"db:1\"\n";

std::string WithWeb(const std::string& image) {
  std::string text = kPair;
  text.replace(text.find("web:1"), 5, image);
  return text;
}

TEST(CoreTest, DeploysInOrderOfAfter) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  EXPECT_THAT(world.sent,
              ElementsAre("check deployment/db", "check deployment/web",
                          "apply_container deployment/db", "apply_container deployment/web"));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_TRUE(world.core->view()->converged);
}

TEST(CoreTest, CanBeLookedAtBeforeTheFirstPass) {
  const CoreWorld world;
  const auto view = world.core->view();
  ASSERT_NE(view->input.desired, nullptr);
  ASSERT_NE(view->input.live, nullptr);
  EXPECT_FALSE(view->input.desired->complete);
  EXPECT_FALSE(view->converged);
}

TEST(CoreTest, NothingToDoSendsNothing) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  world.Commit(kPair, "r2");
  world.Settle();
  EXPECT_THAT(world.sent, IsEmpty());
}

TEST(CoreTest, ReplacesOnlyWhatChangedAndRemovesTheOldOnceHealthy) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  world.Commit(WithWeb("web:2"), "r2");
  world.Settle();
  EXPECT_THAT(world.sent,
              ElementsAre("apply_container deployment/web", "finish_replacement deployment/web"));
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 2u);
}

TEST(CoreTest, AMistakeBehindAChangeInPlaceKeepsTheChange) {
  const std::string web = "[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n";
  const std::string config = "[deployment.config]\nserver = \"edge\"\nimage = \"web:1\"\n";
  CoreWorld world;
  world.Connect("edge");
  world.Commit(absl::StrCat(web, config), "r1");
  world.Settle();
  world.Commit(absl::StrCat(web, config, "restart = \"always\"\n"), "r2");
  world.Pass();
  world.Perform();
  world.sent.clear();
  world.Commit(absl::StrCat(web, config, "imgae = \"typo\"\n"), "r3");
  world.Pass();
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_EQ(world.hosts["edge"].Find("web")->restart_policy(), "always");
}

// web:2 cannot be pulled, and the container of web:1 is removed by hand.
void LoseWebBehindAFailedChange(CoreWorld& world) {
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(WithWeb("web:2"), "r2");
  world.Pass();
  world.faults["deployment/web"] = absl::UnavailableError("pull web:2: no such image");
  world.Perform();
  world.Pass();
  world.hosts["edge"].Remove("web");
  world.Report("edge");
}

TEST(CoreTest, WhatRanIsHealedWhileTheChangeCannotBegin) {
  CoreWorld world;
  LoseWebBehindAFailedChange(world);
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_EQ(world.pending[0].action.apply_container().spec().image(), "web:1");
  world.faults.clear();
  world.Perform();
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:1");
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:2");
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST(CoreTest, HealingAndChangeThatBothFailAreTriedLessAndLessOften) {
  CoreWorld world;
  LoseWebBehindAFailedChange(world);
  world.sent.clear();
  world.Settle(absl::Minutes(1));
  EXPECT_GE(world.sent.size(), 6u);
  EXPECT_LE(world.sent.size(), 16u);
}

TEST(CoreTest, AStepThatSucceedsAgainAndAgainIsMadeLessOften) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  // Somebody sets another policy as soon as it is put right.
  const auto undo = [&world] {
    world.hosts["edge"].Find("web")->set_restart_policy("no");
    world.Report("edge");
    world.Pass();
    world.Perform();
  };
  for (int i = 0; i < 20; ++i) undo();
  EXPECT_EQ(world.sent, std::vector<std::string>(8, "update deployment/web"));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_DEGRADED);
  EXPECT_THAT(world.events, Contains(testing::ResultOf(
                                [](const auto& event) { return event.message(); },
                                testing::HasSubstr("UPDATE has succeeded 8 times in a row"))));
  // Healing goes on, with pauses that grow.
  world.now += absl::Seconds(2);
  for (int i = 0; i < 5; ++i) undo();
  EXPECT_EQ(world.sent.size(), 9u);
  world.now += absl::Seconds(1);
  for (int i = 0; i < 5; ++i) undo();
  EXPECT_EQ(world.sent.size(), 9u);
  // And at once after a quiet time.
  world.now += absl::Minutes(10);
  for (int i = 0; i < 5; ++i) undo();
  EXPECT_EQ(world.sent.size(), 14u);
}

TEST(CoreTest, HealsAtOnceAndSaysSo) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  world.hosts["edge"].Remove("db");
  world.Report("edge");
  world.Pass();
  EXPECT_THAT(world.sent, ElementsAre("apply_container deployment/db"));
  world.Settle();
  EXPECT_TRUE(world.HasEvent("drift-found", "deployment/db"));
  EXPECT_TRUE(world.HasEvent("drift-healed", "deployment/db"));
}

TEST(CoreTest, AStepThatAVariableIsMissingForIsTriedWithTheNextCommit) {
  const std::string variable = "[[variable]]\nname = \"COLOR\"\nvalue = \"red\"\n";
  const std::string web =
      "[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n"
      "config.server = \"edge\"\nconfig.image = \"web:1\"\n"
      "config.environment = \"COLOR = [[COLOR]]\"\n";
  CoreWorld world;
  world.Connect("edge");
  world.Commit(variable + web, "r1");
  world.Settle();
  world.Commit(web, "r2");
  world.hosts["edge"].Remove("web");
  world.Report("edge");
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].live.containers.size(), 0u);
  world.Commit(variable + web, "r3");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST(CoreTest, RollsBackASpecThatExits) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  world.Commit(WithWeb("web:broken"), "r2");
  world.Pass();
  world.Perform();
  v1::Container* made = world.hosts["edge"].Find("web");
  made->set_state(v1::CONTAINER_STATE_EXITED);
  made->set_exit_code(1);
  made->set_restart_policy("no");
  world.Report("edge");
  world.Settle();
  EXPECT_THAT(world.sent,
              ElementsAre("apply_container deployment/web", "finish_replacement deployment/web"));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_DEGRADED);
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:1");
  EXPECT_EQ(world.store->Load()->failed_specs.size(), 1u);
  // The same spec is not tried again; another one is, at once.
  world.sent.clear();
  world.Commit(WithWeb("web:3"), "r3");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:3");
}

std::string StoppedWeb(const std::string& image) {
  std::string text = WithWeb(image);
  return text.replace(text.find("after ="), 0, "state = \"stopped\"\n");
}

// Neither the age of the container nor its end says anything of its spec.
TEST(CoreTest, WhatWasStoppedBeforeItWasEverHealthyIsStarted) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(WithWeb("web:1"), "r1");
  world.Settle();
  world.Commit(WithWeb("web:2"), "r2");
  world.Pass();
  world.Perform();
  world.hosts["edge"].Find("web")->set_health(v1::CONTAINER_HEALTH_STARTING);
  world.Report("edge");
  world.Commit(StoppedWeb("web:2"), "r3");
  world.Settle();
  ASSERT_EQ(world.hosts["edge"].Find("web")->state(), v1::CONTAINER_STATE_EXITED);
  world.now += absl::Hours(1);
  world.sent.clear();
  world.Commit(WithWeb("web:2"), "r4");
  world.Pass();
  EXPECT_THAT(world.sent, ElementsAre("start deployment/web"));
  world.Perform();
  world.Settle();
  EXPECT_THAT(world.store->Load()->failed_specs, IsEmpty());
  // What it does from now on counts.
  EXPECT_EQ(world.store->Load()->inventory.back().applied().state(), v1::WANTED_STATE_RUNNING);
  world.hosts["edge"].Find("web")->set_health(v1::CONTAINER_HEALTH_UNHEALTHY);
  world.Report("edge");
  world.Settle(absl::Minutes(10));
  EXPECT_EQ(world.store->Load()->failed_specs.size(), 1u);
}

// The good spec was declared stopped; what is wanted now is that it runs.
TEST(CoreTest, WhatIsPutBackRunsAsTheFailedSpecWasToRun) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(StoppedWeb("web:1"), "r2");
  world.Settle();
  ASSERT_EQ(world.hosts["edge"].Find("web")->state(), v1::CONTAINER_STATE_EXITED);
  world.Commit(WithWeb("web:broken"), "r3");
  world.Pass();
  world.Perform();
  v1::Container* made = world.hosts["edge"].Find("web");
  made->set_state(v1::CONTAINER_STATE_EXITED);
  made->set_exit_code(1);
  world.Report("edge");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_FALSE(world.pending[0].action.finish_replacement().leave_stopped());
  world.Settle();
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:1");
  EXPECT_EQ(world.hosts["edge"].Find("web")->state(), v1::CONTAINER_STATE_RUNNING);
}

TEST(CoreTest, WhatIsStoppedStaysSoWhileItsDeclarationCannotBeRead) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(StoppedWeb("web:1"), "r2");
  world.Settle();
  ASSERT_EQ(world.hosts["edge"].Find("web")->state(), v1::CONTAINER_STATE_EXITED);
  world.sent.clear();
  world.Commit(StoppedWeb("web:1") + "config.enviroment = \"A=1\"\n", "r3");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_INVALID);
  EXPECT_THAT(world.sent, IsEmpty());
}

TEST(CoreTest, WhatWasReplacedWhileStoppedIsNotTakenBackByAMistake) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.Commit(StoppedWeb("web:2"), "r2");
  world.Settle();
  world.sent.clear();
  world.Commit(StoppedWeb("web:2") + "config.enviroment = \"A=1\"\n", "r3");
  world.Settle();
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_EQ(world.hosts["edge"].Find("web")->image(), "web:2");
  EXPECT_NE(world.hosts["edge"].Find("web")->state(), v1::CONTAINER_STATE_RUNNING);
}

TEST(CoreTest, AnActionThatNeverArrivedIsPlannedAnewAfterACrash) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kDb, "r1");
  world.Pass();
  ASSERT_EQ(world.store->Load()->actions.size(), 1u);
  world.Restart();
  world.Commit(kDb, "r1");
  world.core->OnJournal("edge", 1, v1::JournalReport(), world.now);
  world.Connect("edge");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/db"), v1::CONDITION_CONVERGED);
  EXPECT_THAT(world.store->Load()->actions, IsEmpty());
}

TEST(CoreTest, AnActionThatRunsIsWaitedForAfterACrash) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kDb, "r1");
  world.Pass();
  const DispatchAction running = world.pending.front();
  world.Restart();
  world.sent.clear();
  world.Commit(kDb, "r1");
  v1::JournalReport report;
  report.add_running_action_ids(running.action.id());
  world.core->OnJournal("edge", 1, report, world.now);
  world.Connect("edge");
  world.Pass();
  EXPECT_THAT(world.sent, IsEmpty());
  world.pending.push_back(running);
  world.Perform();
  world.Settle();
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_TRUE(world.core->view()->converged);
}

TEST(CoreTest, HostLimitHoldsBackTheRest) {
  CoreWorld world;
  world.Connect("edge", 2);
  std::string toml = "[[server]]\nname = \"edge\"\n";
  for (int i = 0; i < 5; ++i) {
    absl::StrAppend(&toml, "[[deployment]]\nname = \"d", i,
                    "\"\nconfig.server = \"edge\"\nconfig.image = \"x\"\n");
  }
  world.Commit(toml, "r1");
  world.Pass();
  EXPECT_EQ(world.sent.size(), 2u);
  world.Settle();
  EXPECT_EQ(world.sent.size(), 5u);
}

TEST(CoreTest, AFailedStepIsTriedAgainLaterAndBlocksOnlyDependents) {
  CoreWorld world;
  world.Connect("edge");
  world.faults["deployment/db"] = absl::NotFoundError("image \"db:1\": not found");
  world.Commit(
      std::string(kPair) +
          "[[deployment]]\nname = \"other\"\nconfig.server = \"edge\"\nconfig.image = \"o\"\n",
      "r1");
  world.Settle(absl::Seconds(5));
  EXPECT_EQ(world.ConditionOf("deployment/other"), v1::CONDITION_CONVERGED);
  EXPECT_EQ(world.hosts["edge"].Find("web"), nullptr);
  EXPECT_TRUE(world.HasEvent("step-failed", "deployment/db"));
  world.faults.clear();
  world.Settle(absl::Minutes(2));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST(CoreTest, StopHoldsUntilReleased) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  OperatorRequest stop{.kind = OperatorRequest::Kind::kStop, .resource = "deployment/web"};
  ASSERT_TRUE(world.core->OnRequest(stop, world.now).ok());
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("stop deployment/web"));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
  EXPECT_EQ(world.store->Load()->holds.size(), 1u);
  OperatorRequest release{.kind = OperatorRequest::Kind::kRelease, .resource = "deployment/web"};
  ASSERT_TRUE(world.core->OnRequest(release, world.now).ok());
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_TRUE(
      absl::IsNotFound(world.core->OnRequest({.resource = "deployment/none"}, world.now).status()));
}

TEST(CoreTest, AHoldWithAnExpiryEndsByItself) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  OperatorRequest stop{.kind = OperatorRequest::Kind::kStop,
                       .resource = "deployment/web",
                       .expires_at = world.now + absl::Minutes(1)};
  ASSERT_TRUE(world.core->OnRequest(stop, world.now).ok());
  world.Settle(absl::Seconds(30));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_STOPPED);
  world.Settle(absl::Minutes(2));
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
}

TEST(CoreTest, RestartIsSentOnceTheResourceIsFree) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.sent.clear();
  ASSERT_TRUE(
      world.core
          ->OnRequest({.kind = OperatorRequest::Kind::kRestart, .resource = "deployment/web"},
                      world.now)
          .ok());
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("restart deployment/web"));
}

TEST(CoreTest, ARestartThatNeverArrivedIsSentAgain) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  ASSERT_TRUE(
      world.core
          ->OnRequest(
              {.kind = OperatorRequest::Kind::kRestart, .resource = "deployment/web", .who = "ann"},
              world.now)
          .ok());
  world.Pass();
  // The store remembers the wish, the next controller takes it up.
  world.Restart();
  world.Commit(kPair, "r1");
  world.Connect("edge");
  world.sent.clear();
  world.Pass();
  EXPECT_THAT(world.sent, IsEmpty());
  world.core->OnJournal("edge", 1, v1::JournalReport(), world.now);
  world.Pass();
  ASSERT_THAT(world.sent, ElementsAre("restart deployment/web"));
  EXPECT_EQ(world.store->Load()->actions.front().who(), "ann");
  const std::string id = world.pending.front().action.id();
  world.Settle();
  EXPECT_THAT(world.sent, ElementsAre("restart deployment/web"));
  EXPECT_THAT(world.store->Load()->actions, IsEmpty());
  // One that arrived is not repeated, whatever became of it.
  ASSERT_TRUE(
      world.core
          ->OnRequest(
              {.kind = OperatorRequest::Kind::kRestart, .resource = "deployment/web", .who = "ann"},
              world.now)
          .ok());
  world.Pass();
  v1::JournalReport report;
  v1::ActionOutcome& outcome = *report.add_unacknowledged();
  outcome.set_action_id(world.pending.front().action.id());
  outcome.set_resource("deployment/web");
  outcome.set_status(v1::ACTION_STATUS_INTERRUPTED);
  EXPECT_NE(outcome.action_id(), id);
  world.pending.clear();
  world.sent.clear();
  world.core->OnJournal("edge", 2, report, world.now);
  world.Settle();
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_TRUE(world.HasEvent("interrupted", "deployment/web"));
}

TEST(CoreTest, AnInterruptedDeployWaitsForARetry) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(R"(
[[server]]
name = "edge"
[[stack]]
name = "shop"
[stack.config]
server = "edge"
file_contents = "services: {}"
)",
               "r1");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  v1::ActionOutcome outcome;
  outcome.set_action_id(world.pending.front().action.id());
  outcome.set_resource("stack/shop");
  outcome.set_status(v1::ACTION_STATUS_INTERRUPTED);
  outcome.set_code(static_cast<int>(absl::StatusCode::kAborted));
  outcome.set_message("pre_deploy was cut");
  world.pending.clear();
  world.sent.clear();
  world.core->OnOutcome("edge", outcome, world.now);
  for (int i = 0; i < 3; ++i) {
    world.Pass();
    world.now += absl::Hours(1);
  }
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_TRUE(world.HasEvent("interrupted", "stack/shop"));
  const OperatorRequest retry{.kind = OperatorRequest::Kind::kRetry, .resource = "stack/shop"};
  ASSERT_TRUE(world.core->OnRequest(retry, world.now).ok());
  world.Pass();
  EXPECT_EQ(world.sent.size(), 1u);
}

TEST(CoreTest, AnActionIsForTheSessionWhoseJournalIsKnown) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kDb, "r1");
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_EQ(world.pending.front().session, 0u);
  world.pending.clear();
  world.core->OnJournal("edge", 7, v1::JournalReport(), world.now);
  world.Pass();
  ASSERT_EQ(world.pending.size(), 1u);
  EXPECT_EQ(world.pending.front().session, 7u);
}

TEST(CoreTest, AnOfflineHostDelaysNothingElsewhere) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(std::string(kPair) + R"(
[[server]]
name = "away"
[[deployment]]
name = "far"
config.server = "away"
config.image = "x"
)",
               "r1");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/web"), v1::CONDITION_CONVERGED);
  EXPECT_NE(world.ConditionOf("deployment/far"), v1::CONDITION_CONVERGED);
  EXPECT_FALSE(world.core->view()->converged);
  world.Connect("away");
  world.Settle();
  EXPECT_EQ(world.ConditionOf("deployment/far"), v1::CONDITION_CONVERGED);
}

TEST(CoreTest, TheStoreNeverHoldsActionBodies) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(std::string(kDb) +
                   "[[variable]]\nname = \"S\"\nvalue = \"hunter2\"\nis_secret = true\n"
                   "[[deployment]]\nname = \"sealed\"\nconfig.server = \"edge\"\n"
                   "config.image = \"x\"\nconfig.environment = \"P=[[S]]\"\n",
               "r1");
  world.Pass();
  const auto image = world.store->Load();
  ASSERT_EQ(image->actions.size(), 2u);
  for (const v1::ActionRecord& record : image->actions) {
    EXPECT_EQ(record.SerializeAsString().find("hunter2"), std::string::npos);
  }
}

TEST(CoreTest, AfterALostStoreRunningContainersAreTakenInAgain) {
  CoreWorld world;
  world.Connect("edge");
  world.Commit(kPair, "r1");
  world.Settle();
  world.store = std::make_unique<store::FakeStore>();
  world.Restart();
  world.sent.clear();
  world.Commit(kPair, "r1");
  world.Connect("edge");
  world.Settle();
  EXPECT_THAT(world.sent, IsEmpty());
  EXPECT_EQ(world.store->Load()->inventory.size(), 2u);
}

}  // namespace
}  // namespace fairlead::loop
