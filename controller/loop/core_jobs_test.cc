// Jobs: what runs ask of hosts beside the plan.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/loop/testing/core_world.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = RequestReport::State;

constexpr char kServer[] = "[[server]]\nname = \"edge\"\n";

HostJob PruneOf(const std::string& request_id) {
  HostJob job;
  job.server = "edge";
  job.action.set_resource("server/edge");
  job.action.set_guarantee(v1::ACTION_GUARANTEE_ENSURE);
  job.action.mutable_prune_host()->set_what(v1::PruneHost::WHAT_IMAGES);
  job.action.add_secrets("hush");
  job.request_id = request_id;
  job.who = "procedure/nightly";
  job.why = "PruneImages server/edge for run/r";
  return job;
}
HostJob PullOf(const std::string& request_id, const std::string& resource) {
  HostJob job = PruneOf(request_id);
  job.action.set_resource(resource);
  job.action.mutable_pull_images()->set_image("app:1");
  return job;
}

class CoreJobsTest : public ::testing::Test {
 protected:
  CoreJobsTest() {
    world_.Commit(absl::StrCat(kServer, DeploymentText("web")), "r1");
    Pass();
  }

  static std::string DeploymentText(const std::string& name) {
    return absl::StrCat("[[deployment]]\nname = \"", name,
                        "\"\nconfig.server = \"edge\"\nconfig.image = \"app:1\"\n");
  }
  // A pass whose batch is stored; what it sends goes to the world.
  CoreOutput Pass() {
    CoreOutput output = world_.core->Pass(world_.now);
    EXPECT_TRUE(world_.store->Apply(output.batch).ok());
    for (const auto& event : output.batch.append_events) world_.events.push_back(event);
    for (const auto& dispatch : output.dispatch) {
      world_.sent.push_back(CoreWorld::Describe(dispatch.action));
      world_.pending.push_back(dispatch);
    }
    reports_.insert(reports_.end(), output.reports.begin(), output.reports.end());
    return output;
  }
  std::vector<State> States() const {
    std::vector<State> states;
    for (const RequestReport& report : reports_) states.push_back(report.state);
    return states;
  }

  CoreWorld world_;
  std::vector<RequestReport> reports_;
};

TEST_F(CoreJobsTest, WaitsForItsServerAndSaysSoOnce) {
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  Pass();
  ASSERT_THAT(States(), ElementsAre(State::kWaiting));
  EXPECT_EQ(reports_[0].message, "waits for server edge, which is offline");
  EXPECT_THAT(world_.sent, IsEmpty());
  world_.Connect("edge");
  Pass();
  EXPECT_THAT(world_.sent, ::testing::Contains("prune_host server/edge"));
  world_.Perform();
  Pass();
  EXPECT_THAT(States(), ElementsAre(State::kWaiting, State::kSent, State::kEnded));
  EXPECT_EQ(reports_[2].outcome.status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(reports_[2].server, "edge");
}

TEST_F(CoreJobsTest, IsJournaledWithoutItsBodyAndChangesNoInventory) {
  world_.Connect("edge");
  world_.Settle();
  const auto inventory = world_.core->view()->input.inventory;
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  const auto actions = world_.store->Load()->actions;
  ASSERT_EQ(actions.size(), 1u);
  EXPECT_TRUE(actions[0].job());
  EXPECT_EQ(actions[0].action().body_case(), v1::Action::BODY_NOT_SET);
  EXPECT_THAT(actions[0].action().secrets(), IsEmpty());
  world_.Perform();
  Pass();
  EXPECT_EQ(world_.core->view()->input.inventory, inventory);
  EXPECT_THAT(world_.store->Load()->actions, IsEmpty());
}

TEST_F(CoreJobsTest, OfOneResourceNeverTwoAtOnce) {
  world_.Connect("edge", 16);
  world_.core->OnJob(PruneOf("r.0.0.1"));
  world_.core->OnJob(PruneOf("r.0.1.1"));
  world_.core->OnJob(PullOf("r.0.2.1", "deployment/web"));
  Pass();
  // The plan makes the container first.
  EXPECT_THAT(world_.sent, ElementsAre("apply_container deployment/web", "prune_host server/edge"));
  ASSERT_FALSE(reports_.empty());
  world_.Perform();
  Pass();
  EXPECT_THAT(world_.sent, ElementsAre("apply_container deployment/web", "prune_host server/edge",
                                       "prune_host server/edge", "pull_images deployment/web"));
}

TEST_F(CoreJobsTest, AStepWaitsWhileAJobIsUnderWayOnItsResource) {
  world_.Connect("edge", 16);
  world_.Settle();
  world_.sent.clear();
  world_.core->OnJob(PullOf("r.0.0.1", "deployment/web"));
  Pass();
  world_.Commit(absl::StrCat(kServer, DeploymentText("web"), "config.command = \"run\"\n"), "r2");
  Pass();
  EXPECT_THAT(world_.sent, ElementsAre("pull_images deployment/web"));
  EXPECT_EQ(world_.ConditionOf("deployment/web"), v1::CONDITION_PROGRESSING);
  world_.Perform();
  Pass();
  EXPECT_THAT(world_.sent,
              ElementsAre("pull_images deployment/web", "apply_container deployment/web"));
}

TEST_F(CoreJobsTest, TakesItsPlaceAmongTheActionsOfItsHost) {
  world_.Commit(absl::StrCat(kServer, "config.max_parallel = 1\n", DeploymentText("web")), "r2");
  world_.Connect("edge", 1);
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  EXPECT_THAT(world_.sent, ElementsAre("apply_container deployment/web"));
  ASSERT_THAT(States(), ElementsAre(State::kWaiting));
  EXPECT_EQ(reports_[0].message, "waits for other actions on edge");
}

TEST_F(CoreJobsTest, AWithdrawnJobIsNeverSent) {
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  world_.core->OnWithdrawn({.resource = "server/edge", .request_id = "r.0.0.1"});
  world_.Connect("edge");
  Pass();
  EXPECT_EQ(std::count(world_.sent.begin(), world_.sent.end(), "prune_host server/edge"), 0);
}

TEST_F(CoreJobsTest, CancelEndsItsActionAndIsSaidAgainToAnAgentThatComesBack) {
  world_.Connect("edge");
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  ASSERT_FALSE(world_.pending.empty());
  const std::string action = world_.pending.back().action.id();
  world_.core->OnJobCancelled("r.0.0.1", "ann", world_.now);
  CoreOutput output = Pass();
  ASSERT_EQ(output.cancel.size(), 1u);
  EXPECT_EQ(output.cancel[0].action_id, action);
  EXPECT_THAT(output.cancel[0].why, HasSubstr("ann"));
  v1::JournalReport journal;
  for (const auto& dispatch : world_.pending) journal.add_running_action_ids(dispatch.action.id());
  world_.core->OnJournal("edge", 2, journal, world_.now);
  output = Pass();
  ASSERT_EQ(output.cancel.size(), 1u);
  EXPECT_EQ(output.cancel[0].action_id, action);
}

TEST_F(CoreJobsTest, AfterARestartTheOutcomeStillFindsItsRequestAndSpec) {
  world_.Connect("edge");
  HostJob job = PullOf("r.0.0.1", "build/api");
  job.spec.set_name("api");
  job.spec.mutable_build()->set_image_name("team-api");
  job.action.set_spec_hash("h");
  world_.core->OnJob(std::move(job));
  Pass();
  const auto pending = world_.pending;
  world_.Restart();
  reports_.clear();
  world_.pending = pending;
  world_.Perform();
  Pass();
  ASSERT_FALSE(reports_.empty());
  EXPECT_EQ(reports_[0].request_id, "r.0.0.1");
  EXPECT_EQ(reports_[0].state, State::kEnded);
  EXPECT_EQ(reports_[0].spec.build().image_name(), "team-api");
  EXPECT_EQ(reports_[0].spec_hash, "h");
}

TEST_F(CoreJobsTest, OneThatNeverReachedItsAgentIsReportedLost) {
  world_.Connect("edge");
  world_.core->OnJob(PruneOf("r.0.0.1"));
  Pass();
  reports_.clear();
  world_.core->OnJournal("edge", 2, {}, world_.now);
  Pass();
  ASSERT_FALSE(reports_.empty());
  EXPECT_EQ(reports_[0].state, State::kLost);
  EXPECT_EQ(reports_[0].request_id, "r.0.0.1");
}

}  // namespace
}  // namespace fairlead::loop
