// What operators ask of the core: going back, approving, cancelling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/core.h"
#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Web(const std::string& image) {
  return absl::StrCat("[[server]]\nname = \"edge\"\n[[deployment]]\nname = \"web\"\n",
                      "config.server = \"edge\"\nconfig.image = \"", image, "\"\n");
}

class CoreRequestsTest : public ::testing::Test {
 protected:
  CoreRequestsTest() {
    world_.Connect("edge");
    Commit("web:1", "r1");
    Commit("web:2", "r2");
    world_.sent.clear();
  }

  void Commit(const std::string& image, const std::string& revision) {
    world_.Commit(Web(image), revision);
    world_.Settle();
  }
  std::vector<v1::SpecRecord> History() { return *world_.store->ListHistory("deployment/web"); }
  absl::StatusOr<std::string> RollBackTo(const v1::SpecRecord& target) {
    return world_.core->OnRollback({.who = "ann", .why = "slow", .target = target}, world_.now);
  }
  std::string Image() { return world_.hosts["edge"].Find("web")->image(); }
  v1::Condition Condition() const { return world_.ConditionOf("deployment/web"); }
  const v1::Plan& Plan() const { return world_.core->view()->result.plan; }
  absl::StatusOr<std::vector<std::string>> Approve(const std::string& plan_id) {
    return world_.core->OnApprove(plan_id, "ann", "", world_.now);
  }

  CoreWorld world_;
};

TEST_F(CoreRequestsTest, HistoryKeepsWhatWasAppliedAndHowItWent) {
  const std::vector<v1::SpecRecord> history = History();
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].revision(), "r2");
  EXPECT_EQ(history[0].spec().deployment().image().image().image(), "web:2");
  EXPECT_EQ(history[0].outcome(), v1::SpecRecord::OUTCOME_HEALTHY);
  EXPECT_EQ(history[1].revision(), "r1");
  EXPECT_EQ(history[1].outcome(), v1::SpecRecord::OUTCOME_HEALTHY);
}

TEST_F(CoreRequestsTest, HealingDoesNotRewriteHistory) {
  const std::string before = History()[0].ShortDebugString();
  world_.hosts["edge"].Remove("web");
  world_.Report("edge");
  world_.Settle();
  EXPECT_EQ(Image(), "web:2");
  EXPECT_EQ(History()[0].ShortDebugString(), before);
}

TEST_F(CoreRequestsTest, RollbackGoesBackAndSaysThatGitDiffers) {
  ASSERT_TRUE(RollBackTo(History()[1]).ok());
  world_.Settle();
  EXPECT_EQ(Image(), "web:1");
  EXPECT_EQ(Condition(), v1::CONDITION_DEGRADED);
  EXPECT_FALSE(world_.core->view()->converged);
  const auto status = sync::ComputeStatus(world_.core->view()->input, world_.core->view()->result,
                                          {"deployment", "web"});
  EXPECT_THAT(status.reason(), HasSubstr("put aside: rolled back by ann: slow"));
  EXPECT_EQ(History()[1].outcome(), v1::SpecRecord::OUTCOME_PUT_ASIDE);
  EXPECT_EQ(History()[0].revision(), "r1");
}

TEST_F(CoreRequestsTest, RollbackSurvivesARestartAndIsHealed) {
  ASSERT_TRUE(RollBackTo(History()[1]).ok());
  world_.Settle();
  world_.Restart();
  world_.Report("edge");
  world_.Commit(Web("web:2"), "r2");
  world_.Settle();
  EXPECT_EQ(Image(), "web:1");
  world_.hosts["edge"].Remove("web");
  world_.Report("edge");
  world_.Settle();
  EXPECT_EQ(Image(), "web:1");
}

TEST_F(CoreRequestsTest, RollbackEndsWithARetryOrAnotherCommit) {
  ASSERT_TRUE(RollBackTo(History()[1]).ok());
  world_.Settle();
  ASSERT_TRUE(
      world_.core
          ->OnRequest(
              {.kind = OperatorRequest::Kind::kRetry, .resource = "deployment/web", .who = "ann"},
              world_.now)
          .ok());
  world_.Settle();
  EXPECT_EQ(Image(), "web:2");
  EXPECT_EQ(Condition(), v1::CONDITION_CONVERGED);
  ASSERT_TRUE(RollBackTo(History().back()).ok());
  world_.Settle();
  EXPECT_EQ(Image(), "web:1");
  Commit("web:3", "r3");
  EXPECT_EQ(Image(), "web:3");
  EXPECT_EQ(Condition(), v1::CONDITION_CONVERGED);
}

TEST_F(CoreRequestsTest, RollbackToWhatIsDeclaredIsRefused) {
  const auto refused = RollBackTo(History()[0]);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status())) << refused.status();
  v1::SpecRecord stranger = History()[1];
  stranger.set_resource("deployment/nobody");
  EXPECT_TRUE(absl::IsNotFound(RollBackTo(stranger).status()));
  world_.Settle();
  EXPECT_THAT(world_.sent, IsEmpty());
}

TEST_F(CoreRequestsTest, AChangeWaitsForItsApproval) {
  world_.approval = true;
  Commit("web:3", "r3");
  EXPECT_THAT(world_.sent, IsEmpty());
  EXPECT_EQ(Condition(), v1::CONDITION_BLOCKED);
  ASSERT_EQ(Plan().steps_size(), 1);
  EXPECT_EQ(Plan().steps(0).action(), v1::STEP_ACTION_REPLACE);
  EXPECT_EQ(Plan().steps(0).gate().kind(), v1::Gate::KIND_APPROVAL);
  const std::string id = Plan().id();
  EXPECT_TRUE(absl::IsFailedPrecondition(Approve("123456").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Approve(id.substr(0, 5)).status()));
  EXPECT_THAT(*Approve(id.substr(0, 6)), ElementsAre("deployment/web"));
  world_.Settle();
  EXPECT_EQ(Image(), "web:3");
  EXPECT_EQ(Condition(), v1::CONDITION_CONVERGED);
  EXPECT_TRUE(world_.HasEvent("approved", "deployment/web"));
}

TEST_F(CoreRequestsTest, WhileAChangeWaitsWhatRunsIsHealedAsItWas) {
  world_.approval = true;
  Commit("web:3", "r3");
  world_.hosts["edge"].Remove("web");
  world_.Report("edge");
  world_.Settle();
  EXPECT_EQ(Image(), "web:2");
  EXPECT_EQ(Condition(), v1::CONDITION_BLOCKED);
}

TEST_F(CoreRequestsTest, AnApprovalIsForOneTargetAndOutlivesARestart) {
  world_.approval = true;
  Commit("web:3", "r3");
  ASSERT_TRUE(Approve(Plan().id()).ok());
  world_.Pass();
  world_.Restart();
  world_.Report("edge");
  world_.core->OnJournal("edge", 2, v1::JournalReport(), world_.now);
  Commit("web:3", "r3");
  EXPECT_EQ(Image(), "web:3");
  Commit("web:4", "r4");
  EXPECT_EQ(Image(), "web:3");
}

TEST_F(CoreRequestsTest, ARemovalWaitsForItsApproval) {
  world_.approval = true;
  world_.Commit("[[server]]\nname = \"edge\"\n", "r3");
  world_.Settle();
  EXPECT_THAT(world_.sent, IsEmpty());
  EXPECT_THAT(*Approve(Plan().id()), ElementsAre("deployment/web"));
  world_.Settle();
  EXPECT_THAT(world_.sent, ElementsAre("remove deployment/web"));
  EXPECT_THAT(History(), IsEmpty());
  EXPECT_THAT(world_.store->Load()->approvals, IsEmpty());
  EXPECT_TRUE(absl::IsFailedPrecondition(Approve(Plan().id()).status()));
}

TEST_F(CoreRequestsTest, AnInvalidChangeAsksForNoApproval) {
  world_.approval = true;
  world_.Commit(Web("web:3\"\nconfig.unknown_key = \"x"), "r3");
  world_.hosts["edge"].Remove("web");
  world_.Report("edge");
  world_.Settle();
  EXPECT_EQ(Image(), "web:2");
  EXPECT_EQ(Condition(), v1::CONDITION_INVALID);
}

TEST_F(CoreRequestsTest, WhatIsCancelledIsNotTriedAgainByItself) {
  world_.Commit(Web("web:3"), "r3");
  world_.Pass();
  ASSERT_EQ(world_.pending.size(), 1u);
  const v1::Action action = world_.pending[0].action;
  world_.pending.clear();
  const OperatorRequest cancel{
      .kind = OperatorRequest::Kind::kCancel, .resource = "deployment/web", .who = "ann"};
  ASSERT_TRUE(world_.core->OnRequest(cancel, world_.now).ok());
  const CoreOutput output = world_.core->Pass(world_.now);
  ASSERT_EQ(output.cancel.size(), 1u);
  EXPECT_EQ(output.cancel[0].action_id, action.id());
  v1::ActionOutcome outcome;
  outcome.set_action_id(action.id());
  outcome.set_status(v1::ACTION_STATUS_CANCELLED);
  world_.core->OnOutcome("edge", outcome, world_.now);
  world_.sent.clear();
  world_.Settle(absl::Hours(2));
  EXPECT_THAT(world_.sent, IsEmpty());
  EXPECT_EQ(Condition(), v1::CONDITION_DEGRADED);
  EXPECT_TRUE(absl::IsFailedPrecondition(world_.core->OnRequest(cancel, world_.now).status()));
  ASSERT_TRUE(
      world_.core
          ->OnRequest(
              {.kind = OperatorRequest::Kind::kRetry, .resource = "deployment/web", .who = "ann"},
              world_.now)
          .ok());
  world_.Settle();
  EXPECT_EQ(Image(), "web:3");
}

}  // namespace
}  // namespace fairlead::loop
