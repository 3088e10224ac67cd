#include "agent/autonomous_heal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr char kWeb[] = "deployment/web";

v1::Action Apply(const std::string& hash = "h1", const std::string& resource = kWeb) {
  v1::Action action;
  action.set_id("a-" + hash);
  action.set_resource(resource);
  action.set_spec_hash(hash);
  action.mutable_apply_container()->mutable_spec()->set_name("web");
  action.mutable_apply_container()->mutable_spec()->set_image("app:1");
  action.mutable_apply_container()->mutable_spec()->set_restart_policy("unless-stopped");
  action.mutable_apply_container()->set_pull(v1::PULL_POLICY_ALWAYS);
  return action;
}

v1::AppliedBody BodyOf(const v1::Action& action) { return *BodyWhenDone(std::nullopt, action); }

// A host where `web` was applied and the controller has been gone for a minute.
class AutonomousHealTest : public ::testing::Test {
 protected:
  AutonomousHealTest() {
    terms_.set_heal(true);
    terms_.mutable_ttl()->set_seconds(3600);
    host_.set_engine_up(true);
    bodies_[kWeb] = BodyOf(Apply());
  }

  v1::Container& Add(v1::ContainerState state, const std::string& resource = kWeb) {
    v1::Container& container = *host_.add_containers();
    container.set_name("web");
    container.set_installation("inst");
    container.set_resource(resource);
    container.set_spec_hash("h1");
    container.set_state(state);
    container.set_restart_policy("unless-stopped");
    *container.mutable_started_at() = base::ToProto(kNow - absl::Minutes(5));
    if (state == v1::CONTAINER_STATE_EXITED) {
      container.set_exit_code(1);
      *container.mutable_finished_at() = base::ToProto(kNow - absl::Seconds(30));
    }
    return container;
  }
  void AddStack(int replicas) {
    v1::Action action;
    action.set_id("s1");
    action.set_resource("stack/shop");
    action.set_spec_hash("h1");
    action.mutable_apply_stack()->set_pull(v1::PULL_POLICY_ALWAYS);
    action.mutable_apply_stack()->set_destroy_first(true);
    bodies_ = {{"stack/shop", BodyOf(action)}};
    v1::Project& project = *host_.add_projects();
    project.set_resource("stack/shop");
    project.set_spec_hash("h1");
    v1::Project::Service& service = *project.add_services();
    service.set_name("front");
    service.set_replicas(replicas);
  }

  AutonomousPlan Decide(absl::Time now = kNow) {
    return DecideAutonomousHeal({.terms = terms_,
                                 .installation = installation_,
                                 .last_contact = last_contact_,
                                 .alone_since = last_contact_,
                                 .host = host_,
                                 .bodies = bodies_,
                                 .open = open_,
                                 .heals = heals_},
                                now);
  }
  // "start deployment/web: exited with 1" for each.
  std::vector<std::string> Heals(absl::Time now = kNow) {
    std::vector<std::string> texts;
    for (const AutonomousHeal& heal : Decide(now).heals) {
      const char* what = heal.action.has_start()             ? "start "
                         : heal.action.has_apply_container() ? "make "
                                                             : "apply ";
      texts.push_back(what + heal.action.resource() + ": " + heal.reason);
    }
    return texts;
  }

  v1::AutonomyTerms terms_;
  std::string installation_ = "inst";
  absl::Time last_contact_ = kNow - absl::Minutes(1);
  v1::HostState host_;
  AppliedBodies bodies_;
  std::set<std::string> open_;
  std::map<std::string, std::vector<absl::Time>> heals_;
};

TEST_F(AutonomousHealTest, StartsWhatHasExited) {
  Add(v1::CONTAINER_STATE_EXITED);
  const AutonomousPlan plan = Decide();
  EXPECT_THAT(Heals(), ElementsAre("start deployment/web: exited with 1"));
  EXPECT_NE(plan.heals[0].action.id(), Apply().id()) << "a start is another action than the apply";
}

TEST_F(AutonomousHealTest, StartsWhatIsDownInAnyWay) {
  v1::Container& web = Add(v1::CONTAINER_STATE_EXITED);
  web.set_exit_code(137);
  web.set_killed(true);
  EXPECT_THAT(Heals(), ElementsAre("start deployment/web: was stopped, exit code 137"));
  web.set_state(v1::CONTAINER_STATE_PAUSED);
  EXPECT_THAT(Heals(), ElementsAre("start deployment/web: is paused"));
  web.set_state(v1::CONTAINER_STATE_CREATED);
  EXPECT_THAT(Heals(), ElementsAre("start deployment/web: was never started"));
}

TEST_F(AutonomousHealTest, LeavesWhatRunsOrIsInTransit) {
  v1::Container& web = Add(v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(Heals(), IsEmpty());
  web.set_health(v1::CONTAINER_HEALTH_UNHEALTHY);
  EXPECT_THAT(Heals(), IsEmpty());
  web.set_state(v1::CONTAINER_STATE_RESTARTING);
  EXPECT_THAT(Heals(), IsEmpty());
}

TEST_F(AutonomousHealTest, MakesWhatWasRemovedExactlyAsItWasApplied) {
  const AutonomousPlan plan = Decide();
  ASSERT_EQ(plan.heals.size(), 1u);
  EXPECT_EQ(plan.heals[0].reason, "was removed");
  EXPECT_EQ(plan.heals[0].action.apply_container().spec().image(), "app:1");
  EXPECT_EQ(plan.heals[0].action.id(), Apply().id());
  EXPECT_EQ(plan.heals[0].action.apply_container().pull(), v1::PULL_POLICY_MISSING)
      << "a pull would be another image than the one applied";
}

TEST_F(AutonomousHealTest, NeverPullsWhatIsNotToBePulled) {
  bodies_[kWeb].mutable_action()->mutable_apply_container()->set_pull(v1::PULL_POLICY_NEVER);
  EXPECT_EQ(Decide().heals[0].action.apply_container().pull(), v1::PULL_POLICY_NEVER);
}

TEST_F(AutonomousHealTest, OnlyWithTheTermsForIt) {
  terms_.set_heal(false);
  EXPECT_THAT(Heals(), IsEmpty());
  EXPECT_EQ(Decide().wake, absl::InfiniteFuture());
}

TEST_F(AutonomousHealTest, GivesTheControllerSomeSeconds) {
  last_contact_ = kNow - absl::Seconds(2);
  EXPECT_THAT(Heals(), IsEmpty());
  EXPECT_EQ(Decide().wake, kNow + absl::Seconds(3));
  EXPECT_THAT(Heals(kNow + absl::Seconds(3)), ElementsAre("make deployment/web: was removed"));
}

TEST_F(AutonomousHealTest, NotAfterTheTtl) {
  last_contact_ = kNow - absl::Seconds(3599);
  EXPECT_EQ(Heals().size(), 1u);
  last_contact_ = kNow - absl::Seconds(3600);
  EXPECT_THAT(Heals(), IsEmpty());
}

TEST_F(AutonomousHealTest, NotWhileTheEngineIsDown) {
  host_.set_engine_up(false);
  EXPECT_THAT(Heals(), IsEmpty());
}

TEST_F(AutonomousHealTest, NotWhatTheTermsLeaveAloneOrWasStoppedOrIsBeingActedOn) {
  terms_.add_leave_alone(kWeb);
  EXPECT_THAT(Heals(), IsEmpty());
  terms_.clear_leave_alone();
  open_ = {kWeb};
  EXPECT_THAT(Heals(), IsEmpty());
  open_.clear();
  bodies_[kWeb].set_stopped(true);
  EXPECT_THAT(Heals(), IsEmpty());
}

TEST_F(AutonomousHealTest, NotDuringAReplacement) {
  Add(v1::CONTAINER_STATE_EXITED);
  v1::Container& old = Add(v1::CONTAINER_STATE_EXITED);
  old.set_name("web.fairlead-old");
  old.set_spec_hash("h0");
  EXPECT_THAT(Heals(), IsEmpty());
  for (const char* name : {"web.fairlead-new", "Web", "weB"}) {
    old.set_name(name);
    EXPECT_THAT(Heals(), IsEmpty()) << name;
  }
}

TEST_F(AutonomousHealTest, NotWhatIsOfAnotherSpecOrAnotherInstallation) {
  v1::Container& web = Add(v1::CONTAINER_STATE_EXITED);
  web.set_spec_hash("h2");
  EXPECT_THAT(Heals(), IsEmpty());
  web.set_spec_hash("h1");
  web.set_installation("other");
  EXPECT_THAT(Heals(), ElementsAre("make deployment/web: was removed"));
}

TEST_F(AutonomousHealTest, AJobThatHasEndedStaysEnded) {
  bodies_[kWeb].mutable_action()->mutable_apply_container()->mutable_spec()->set_restart_policy(
      "on-failure");
  EXPECT_THAT(Heals(), IsEmpty()) << "it may have ended before it was removed";
  v1::Container& web = Add(v1::CONTAINER_STATE_EXITED);
  web.set_restart_policy("on-failure");
  web.set_exit_code(0);
  EXPECT_THAT(Heals(), IsEmpty());
  web.set_killed(true);
  EXPECT_EQ(Heals().size(), 1u);
  web.set_killed(false);
  web.set_restart_policy("unless-stopped");
  EXPECT_EQ(Heals().size(), 1u);
}

TEST_F(AutonomousHealTest, CrashLoopsAreSlowedDown) {
  v1::Container& web = Add(v1::CONTAINER_STATE_EXITED);
  *web.mutable_finished_at() = base::ToProto(kNow);
  *web.mutable_started_at() = base::ToProto(kNow - absl::Seconds(1));
  heals_[kWeb] = {kNow - absl::Seconds(1)};
  EXPECT_THAT(Heals(), IsEmpty());
  EXPECT_EQ(Decide().wake, kNow + absl::Seconds(1)) << "the second waits a second";
  EXPECT_EQ(Heals(kNow + absl::Seconds(1)).size(), 1u);
  heals_[kWeb] = {kNow - absl::Seconds(9), kNow - absl::Seconds(5), kNow - absl::Seconds(1)};
  EXPECT_EQ(Decide().wake, kNow + absl::Seconds(4));
  // It had run for long.
  *web.mutable_started_at() = base::ToProto(kNow - absl::Minutes(10));
  EXPECT_EQ(Heals().size(), 1u);
}

TEST_F(AutonomousHealTest, RemovedAgainAndAgainIsSlowedDownToo) {
  heals_[kWeb] = {kNow};
  EXPECT_THAT(Heals(), IsEmpty());
  EXPECT_EQ(Decide().wake, kNow + absl::Seconds(1));
}

TEST_F(AutonomousHealTest, AppliesAStackWhereAServiceIsDownOrShort) {
  AddStack(2);
  Add(v1::CONTAINER_STATE_RUNNING, "stack/shop").set_compose_service("front");
  EXPECT_THAT(Heals(), ElementsAre("apply stack/shop: service front: 1 of 2 containers"));
  v1::Container& second = Add(v1::CONTAINER_STATE_EXITED, "stack/shop");
  second.set_compose_service("front");
  EXPECT_THAT(Heals(), ElementsAre("apply stack/shop: service front: exited with 1"));
  EXPECT_FALSE(Decide().heals[0].action.apply_stack().destroy_first());
  EXPECT_EQ(Decide().heals[0].action.apply_stack().pull(), v1::PULL_POLICY_MISSING);
  second.set_state(v1::CONTAINER_STATE_RUNNING);
  EXPECT_THAT(Heals(), IsEmpty());
}

TEST_F(AutonomousHealTest, AStackThatWasNotAppliedCompletelyIsLeftAlone) {
  AddStack(1);
  host_.mutable_projects(0)->set_spec_hash("h0");
  EXPECT_THAT(Heals(), IsEmpty());
  host_.mutable_projects(0)->set_spec_hash("h1");
  host_.mutable_projects(0)->mutable_services(0)->set_ignored(true);
  EXPECT_THAT(Heals(), IsEmpty());
}

v1::Action ActionWith(void (*fill)(v1::Action&)) {
  v1::Action action;
  action.set_id("b");
  action.set_resource(kWeb);
  fill(action);
  return action;
}

TEST(AppliedBodyTest, AStopAndARemovalCountFromTheirBeginning) {
  const v1::AppliedBody body = BodyOf(Apply());
  const auto stop = ActionWith([](v1::Action& action) { action.mutable_stop(); });
  const auto remove = ActionWith([](v1::Action& action) { action.mutable_remove(); });
  const auto extra = ActionWith([](v1::Action& action) { action.mutable_remove()->add_ids("c"); });
  const auto down = ActionWith([](v1::Action& action) { action.mutable_remove_stack(); });
  EXPECT_TRUE(BodyWhenBegun(body, stop)->stopped());
  EXPECT_FALSE(BodyWhenBegun(body, remove).has_value());
  EXPECT_FALSE(BodyWhenBegun(body, down).has_value());
  EXPECT_FALSE(BodyWhenBegun(body, extra)->stopped());
  EXPECT_EQ(BodyWhenBegun(body, Apply("h2"))->action().spec_hash(), "h1") << "not before its end";
  EXPECT_FALSE(BodyWhenBegun(std::nullopt, stop).has_value());
}

TEST(AppliedBodyTest, AStartOrAnApplyEndsAStop) {
  v1::AppliedBody body = BodyOf(Apply());
  body.set_stopped(true);
  const auto start = ActionWith([](v1::Action& action) { action.mutable_start(); });
  EXPECT_TRUE(BodyWhenBegun(body, start)->stopped()) << "not before it runs";
  EXPECT_FALSE(BodyWhenDone(body, start)->stopped());
  EXPECT_FALSE(BodyWhenDone(body, Apply("h2"))->stopped());
  v1::Action stopped = Apply("h2");
  stopped.mutable_apply_container()->set_leave_stopped(true);
  EXPECT_TRUE(BodyWhenDone(body, stopped)->stopped());
}

TEST(AppliedBodyTest, ARollbackGoesBackToTheBodyBefore) {
  const v1::AppliedBody replaced = *BodyWhenDone(BodyOf(Apply()), Apply("h2"));
  EXPECT_EQ(replaced.action().spec_hash(), "h2");
  EXPECT_EQ(replaced.previous().spec_hash(), "h1");
  const auto keep_new = ActionWith([](v1::Action& action) {
    action.mutable_finish_replacement()->set_keep(v1::FinishReplacement::KEEP_NEW);
  });
  const auto keep_old = ActionWith([](v1::Action& action) {
    action.mutable_finish_replacement()->set_keep(v1::FinishReplacement::KEEP_OLD);
  });
  EXPECT_EQ(BodyWhenDone(replaced, keep_new)->action().spec_hash(), "h2");
  EXPECT_FALSE(BodyWhenDone(replaced, keep_new)->has_previous());
  EXPECT_EQ(BodyWhenDone(replaced, keep_old)->action().spec_hash(), "h1");
  EXPECT_FALSE(BodyWhenDone(replaced, keep_old)->has_previous());
  EXPECT_FALSE(BodyWhenDone(BodyOf(Apply()), keep_old).has_value())
      << "what is put back is not known";
}

TEST(AppliedBodyTest, AnUpdateAndAnAdoptionAreBodiesToo) {
  const auto update =
      ActionWith([](v1::Action& action) { action.mutable_update()->set_restart_policy("always"); });
  EXPECT_EQ(
      BodyWhenDone(BodyOf(Apply()), update)->action().apply_container().spec().restart_policy(),
      "always");
  const auto adopt = ActionWith([](v1::Action& action) {
    action.set_spec_hash("h1");
    action.mutable_adopt()->mutable_spec()->set_image("app:7");
  });
  EXPECT_EQ(BodyWhenDone(std::nullopt, adopt)->action().apply_container().spec().image(), "app:7");
}

}  // namespace
}  // namespace fairlead::agent
