// Replacements in which the new container starts while the old one serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/engine_json.h"
#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// "web" of spec "one" runs.
class StartFirstTest : public RuntimeFixture {
 protected:
  StartFirstTest() : old_id_(Run(ApplyFirst("a1", "one")).container_id()) {
    engine_.WatchName("web");
  }

  const std::string old_id_;
};

TEST_F(StartFirstTest, TheNewContainerStartsBesideTheOldOne) {
  const v1::ActionOutcome outcome = Run(ApplyFirst("a2", "two"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-new running"));
  EXPECT_EQ(engine_.IdOf("web"), old_id_);
  EXPECT_EQ(outcome.container_id(), engine_.IdOf("web.fairlead-new"));
  EXPECT_EQ(engine_.LabelOf("web.fairlead-new", kSpecHashLabel), "v1:k1:two");
  EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped") << "the old one is as it was";
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, ChangesNothingWhenRunAgain) {
  Run(ApplyFirst("a2", "two"));
  const std::vector<std::string> before = engine_.Changes();

  EXPECT_EQ(Run(ApplyFirst("a2", "two")).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(Run(ApplyFirst("a3", "two")).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_EQ(engine_.Changes(), before);
}

TEST_F(StartFirstTest, TheNameAlwaysResolvesWhileItPassesOn) {
  const std::string new_id = Run(ApplyFirst("a2", "two")).container_id();

  const v1::ActionOutcome outcome = Run(Finish("f1", v1::FinishReplacement::KEEP_NEW));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.IdOf("web"), new_id);
  EXPECT_EQ(outcome.container_id(), new_id);
  EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, OneReplacementAfterTheOtherLeavesNothingBehind) {
  for (const char* hash : {"two", "three", "four"}) {
    ASSERT_EQ(Run(ApplyFirst(hash, hash)).message(), "");
    ASSERT_EQ(Run(Finish(std::string("f-") + hash, v1::FinishReplacement::KEEP_NEW)).message(), "");
    EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  }
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:four");
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, AFailedOneGoesWithItsLogAndTheOldOneNeverStops) {
  Run(ApplyFirst("a2", "two"));
  engine_.SetLog("web.fairlead-new", "cannot open /etc/app.conf");
  engine_.Exit("web.fairlead-new", 1);

  const v1::ActionOutcome outcome = Run(Finish("f1", v1::FinishReplacement::KEEP_OLD));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(outcome.log_tail(), "cannot open /etc/app.conf");
  EXPECT_EQ(outcome.container_id(), old_id_);
  EXPECT_EQ(engine_.IdOf("web"), old_id_);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, OneThatDoesNotStartIsRemoved) {
  engine_.start_fails = true;

  EXPECT_EQ(Run(ApplyFirst("a2", "two")).status(), v1::ACTION_STATUS_FAILED);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.IdOf("web"), old_id_);
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, AnotherSpecTakesThePlaceOfAnAttempt) {
  Run(ApplyFirst("a2", "two"));

  EXPECT_EQ(Run(ApplyFirst("a3", "three")).message(), "");

  EXPECT_EQ(engine_.LabelOf("web.fairlead-new", kSpecHashLabel), "v1:k1:three");
  EXPECT_EQ(engine_.IdOf("web"), old_id_);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-new running"));
  EXPECT_THAT(engine_.Gaps(), IsEmpty());
}

TEST_F(StartFirstTest, AnAttemptIsGivenUpWhenRecreateIsAskedForInstead) {
  Run(ApplyFirst("a2", "two"));
  v1::Action recreate = ApplyFirst("a3", "three");
  recreate.mutable_apply_container()->set_start_first(false);

  EXPECT_EQ(Run(recreate).message(), "");

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), old_id_);
}

TEST_F(StartFirstTest, NothingToServeMeanwhileNeedsNoOverlap) {
  engine_.Exit("web", 1);

  EXPECT_EQ(Run(ApplyFirst("a2", "two")).message(), "");

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
}

TEST_F(StartFirstTest, ANewOneThatDoesNotRunGetsNoName) {
  Run(ApplyFirst("a2", "two"));
  engine_.Exit("web.fairlead-new", 1);
  v1::Action finish = Finish("f1", v1::FinishReplacement::KEEP_NEW);
  finish.mutable_finish_replacement()->set_must_run(true);

  EXPECT_THAT(Run(finish).message(), HasSubstr("does not run: the old one is kept"));

  EXPECT_EQ(engine_.IdOf("web"), old_id_);
}

TEST_F(StartFirstTest, TheNewOneTakesThePlaceOfOneThatIsGone) {
  const std::string new_id = Run(ApplyFirst("a2", "two")).container_id();
  engine_.RemoveByHand("web");

  EXPECT_THAT(Run(Finish("f1", v1::FinishReplacement::KEEP_OLD)).message(),
              HasSubstr("is gone: the new one is kept"));
  EXPECT_EQ(Run(Finish("f2", v1::FinishReplacement::KEEP_NEW)).message(), "");

  EXPECT_EQ(engine_.IdOf("web"), new_id);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(StartFirstTest, AForeignHolderOfASpellingIsFoundBeforeAnythingStarts) {
  engine_.AddContainer("weB", {{"Image", "app:1"}}, "running");
  const std::vector<std::string> before = engine_.Changes();

  EXPECT_THAT(Run(ApplyFirst("a2", "two")).message(), HasSubstr("name weB is taken"));

  EXPECT_EQ(engine_.Changes(), before);
}

TEST_F(StartFirstTest, AHostPortThatTheOldOneKeepsIsFoundBeforeAnythingStarts) {
  Run(Apply("a2", "two"));
  Run(Finish("f2", v1::FinishReplacement::KEEP_NEW));
  v1::Action action = Apply("a3", "three");
  action.mutable_apply_container()->set_start_first(true);

  EXPECT_THAT(Run(action).message(), HasSubstr("port 8080/tcp is taken by container web"));

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(StartFirstTest, TheOldOneIsStoppedOnlyAfterTheNameHasLeftIt) {
  Run(ApplyFirst("a2", "two"));
  const std::size_t before = engine_.Changes().size();

  Run(Finish("f1", v1::FinishReplacement::KEEP_NEW));

  std::vector<std::string> changes = engine_.Changes();
  changes.erase(changes.begin(), changes.begin() + static_cast<std::ptrdiff_t>(before));
  const std::string old = "/containers/" + old_id_;
  EXPECT_THAT(changes,
              ElementsAre(HasSubstr("/rename"), HasSubstr(old + "/rename"), HasSubstr("/rename"),
                          HasSubstr(old + "/update"), HasSubstr(old + "/rename"),
                          HasSubstr(old + "/stop"), HasSubstr("DELETE " + old)));
}

}  // namespace
}  // namespace fairlead::agent
