#include "agent/apply_container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"

#include "agent/engine_json.h"
#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ApplyContainerTest : public RuntimeFixture {};

TEST_F(ApplyContainerTest, CreatesAndStartsWhatIsMissing) {
  const v1::ActionOutcome outcome = Run(Apply("a1", "one"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(outcome.container_id(), engine_.IdOf("web"));
  EXPECT_EQ(engine_.LabelOf("web", kInstallationLabel), kTestInstallation);
  EXPECT_EQ(engine_.LabelOf("web", kResourceLabel), "deployment/web");
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:one");
  EXPECT_EQ(engine_.LabelOf("web", kActionLabel), "a1");
  EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
}

TEST_F(ApplyContainerTest, ChangesNothingWhenRunAgain) {
  Run(Apply("a1", "one"));
  const std::vector<std::string> before = engine_.Changes();

  EXPECT_EQ(Run(Apply("a1", "one")).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(Run(Apply("a2", "one")).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_EQ(engine_.Changes(), before);
}

TEST_F(ApplyContainerTest, CreatesWithoutStartWhenLeftStopped) {
  v1::Action action = Apply("a1", "one");
  action.mutable_apply_container()->set_leave_stopped(true);

  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web created"));
}

TEST_F(ApplyContainerTest, KeepsTheOldContainerBesideTheNewOne) {
  const std::string old_id = Run(Apply("a1", "one")).container_id();

  const v1::ActionOutcome outcome = Run(Apply("a2", "two"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), old_id);
  EXPECT_EQ(engine_.RestartPolicyOf("web.fairlead-old"), "no");
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:two");
}

TEST_F(ApplyContainerTest, ReplacesAFailedAttemptAndKeepsWhatRanBefore) {
  const std::string first = Run(Apply("a1", "one")).container_id();
  Run(Apply("a2", "two"));

  Run(Apply("a3", "three"));

  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), first);
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:three");
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
}

TEST_F(ApplyContainerTest, PutsTheOldContainerBackWhenTheNewOneDoesNotStart) {
  const std::string old_id = Run(Apply("a1", "one")).container_id();
  engine_.start_fails = true;

  const v1::ActionOutcome outcome = Run(Apply("a2", "two"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("executable file not found"));
  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.IdOf("web"), old_id);
  EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
  EXPECT_THAT(outcome.warnings(), IsEmpty());
}

TEST_F(ApplyContainerTest, NamesThePortThatIsTaken) {
  engine_.port_is_taken = true;

  const v1::ActionOutcome outcome = Run(Apply("a1", "one"));

  EXPECT_THAT(outcome.message(), HasSubstr("port 8080 is already taken on this host"));
  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(engine_.Containers(), IsEmpty());
}

TEST_F(ApplyContainerTest, NeverTouchesAForeignContainerOfThatName) {
  engine_.AddContainer("web", {{"Image", "app:1"}}, "running");

  const v1::ActionOutcome outcome = Run(Apply("a1", "one"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("name web is taken by container"));
  EXPECT_THAT(engine_.Changes(), IsEmpty());
}

TEST_F(ApplyContainerTest, NamesTheResourceThatHoldsTheName) {
  engine_.AddContainer(
      "web",
      {{"Image", "app:1"},
       {"Labels", {{kInstallationLabel, kTestInstallation}, {kResourceLabel, "deployment/other"}}}},
      "running");

  EXPECT_THAT(Run(Apply("a1", "one")).message(), HasSubstr("of deployment/other"));
}

TEST_F(ApplyContainerTest, ReplacesAContainerThatWasChangedByHand) {
  const std::string changed = Run(Apply("a1", "one")).container_id();
  engine_.SetMemory("web", 1 << 20);

  Run(Apply("a2", "one"));

  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), changed);
  EXPECT_EQ(engine_.LabelOf("web", kActionLabel), "a2");
}

TEST_F(ApplyContainerTest, ReplacesAContainerWhoseImageWasRetaggedAndThenRests) {
  Run(Apply("a1", "one"));
  const std::string first = engine_.IdOf("web");
  engine_.Retag("app:1", "sha256:other");

  EXPECT_EQ(Run(Apply("a2", "one")).status(), v1::ACTION_STATUS_SUCCEEDED);

  const std::string second = engine_.IdOf("web");
  EXPECT_NE(second, first);
  Run(Finish("f2", v1::FinishReplacement::KEEP_NEW));
  EXPECT_EQ(Run(Apply("a3", "one")).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(engine_.IdOf("web"), second);
}

TEST_F(ApplyContainerTest, ReplacesAContainerThatSomebodyElseMadeWithOurLabels) {
  const auto labels = OwnLabels(kTestInstallation, "deployment/web", "v1:k1:one", "x");
  boost::json::object object;
  for (const auto& [key, value] : labels) object[key] = value;
  const std::string copied =
      engine_.AddContainer("web", {{"Image", "app:1"}, {"Labels", object}}, "running");

  Run(Apply("a1", "one"));

  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), copied);
}

TEST_F(ApplyContainerTest, TakesAContainerUnderAnotherNameAsTheOldOne) {
  const std::string before = Run(Apply("a1", "one")).container_id();
  v1::Action renamed = Apply("a2", "two");
  renamed.mutable_apply_container()->mutable_spec()->set_name("site");

  Run(renamed);

  EXPECT_EQ(engine_.IdOf("site.fairlead-old"), before);
  EXPECT_THAT(engine_.Containers(), ElementsAre("site running", "site.fairlead-old exited"));
}

TEST_F(ApplyContainerTest, GivesAnOldContainerItsOtherNameBack) {
  const std::string before = Run(Apply("a1", "one")).container_id();
  v1::Action renamed = Apply("a2", "two");
  renamed.mutable_apply_container()->mutable_spec()->set_name("site");
  engine_.start_fails = true;

  Run(renamed);

  EXPECT_EQ(engine_.IdOf("web"), before);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(ApplyContainerTest, PutsTheOldContainerBackWhenCancelled) {
  Run(Apply("a1", "one"));
  cancel_at_phase_ = "creating";

  const v1::ActionOutcome outcome = Run(Apply("a2", "two"));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_CANCELLED);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.LabelOf("web", kSpecHashLabel), "v1:k1:one");
}

TEST_F(ApplyContainerTest, EndsAtItsDeadlineWhenAStopHangs) {
  Run(Apply("a1", "one"));
  engine_.stop_hangs = true;
  v1::Action action = Apply("a2", "two");
  action.mutable_deadline()->set_nanos(200'000'000);

  const v1::ActionOutcome outcome = Run(action);
  engine_.stop_hangs = false;

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.RestartPolicyOf("web"), "unless-stopped");
}

TEST_F(ApplyContainerTest, SaysThatTheEngineIsDown) {
  engine_.GoDown();

  const v1::ActionOutcome outcome = Run(Apply("a1", "one"));

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_THAT(outcome.message(), HasSubstr("docker does not answer at /tmp/"));
}

TEST_F(ApplyContainerTest, RedactsSecretsEverywhere) {
  v1::Action action = Apply("a1", "one");
  action.add_secrets("hunter22");
  action.mutable_apply_container()->mutable_spec()->set_image("hunter22/app:9");
  engine_.pull_fails = true;

  const v1::ActionOutcome outcome = Run(action);

  EXPECT_THAT(outcome.DebugString(), Not(HasSubstr("hunter22")));
  EXPECT_THAT(outcome.message(), HasSubstr("***"));
  for (const v1::ActionProgress& step : progress_) {
    EXPECT_THAT(step.detail(), Not(HasSubstr("hunter22")));
  }
}

struct PullCase {
  const char* name;
  v1::PullPolicy policy;
  bool present;
  bool pull_fails;
  bool succeeds;
  // Part of the message or of the only warning; empty for neither.
  const char* text;
};

class PullTest : public RuntimeFixture, public ::testing::WithParamInterface<PullCase> {};

TEST_P(PullTest, FollowsThePolicy) {
  Run(Apply("a1", "one"));
  engine_.pull_fails = GetParam().pull_fails;
  v1::Action action = Apply("a2", "two");
  action.mutable_apply_container()->set_pull(GetParam().policy);
  const char* image = GetParam().present ? "app:2" : "registry/app:3";
  action.mutable_apply_container()->mutable_spec()->set_image(image);
  const std::vector<std::string> before = engine_.Changes();

  const v1::ActionOutcome outcome = Run(action);

  EXPECT_EQ(outcome.status() == v1::ACTION_STATUS_SUCCEEDED, GetParam().succeeds);
  if (!GetParam().succeeds) {
    EXPECT_EQ(engine_.Changes(), before) << "a failed pull must change nothing";
  }
  const std::string said =
      outcome.message() + (outcome.warnings_size() > 0 ? outcome.warnings(0) : "");
  if (*GetParam().text == '\0') {
    EXPECT_EQ(said, "");
  } else {
    EXPECT_THAT(said, HasSubstr(GetParam().text));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Policies, PullTest,
    ::testing::Values(
        PullCase{"MissingPresent", v1::PULL_POLICY_MISSING, true, true, true, ""},
        PullCase{"MissingAbsent", v1::PULL_POLICY_MISSING, false, false, true, ""},
        PullCase{"MissingFails", v1::PULL_POLICY_MISSING, false, true, false,
                 "image registry/app:3: pull failed: registry is unreachable"},
        PullCase{"AlwaysPresentFails", v1::PULL_POLICY_ALWAYS, true, true, true,
                 "using the image that is present"},
        PullCase{"AlwaysAbsentFails", v1::PULL_POLICY_ALWAYS, false, true, false, "pull failed"},
        PullCase{"NeverPresent", v1::PULL_POLICY_NEVER, true, false, true, ""},
        PullCase{"NeverAbsent", v1::PULL_POLICY_NEVER, false, false, false, "not on this host"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace fairlead::agent
