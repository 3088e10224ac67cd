// Pushes to and pulls from real registries, open, behind a login, and failing.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/agent/agent_host.h"
#include "integration/testing/registry.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class PushTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Registry::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  }
  v1::Action ActionFor(const std::string& domain, const std::string& text = "one") const {
    v1::Action action;
    action.set_resource("build/app");
    v1::BuildImage& request = *action.mutable_build_image();
    request.set_dockerfile(absl::StrCat("FROM fl/app:1\nRUN echo ", text, " > /text\n"));
    v1::BuildImage::Target& target = *request.add_targets();
    target.set_repository(domain + "/team/app");
    target.set_push(true);
    request.add_tags("1");
    return action;
  }
  static void LogIn(v1::Action& action, const std::string& domain, const std::string& password) {
    v1::Login& login = *action.mutable_build_image()->mutable_targets(0)->mutable_login();
    login.set_domain(domain);
    login.set_username("test");
    login.set_secret(password);
    action.add_secrets(password);
  }
  void Forget(const std::string& image) const { host_.engine().Docker({"rmi", "--force", image}); }

  AgentHost host_;
};

TEST_F(PushTest, PushesToSeveralRegistriesAndPullsBack) {
  const Registry open(host_.engine(), host_.Folder("open"), 5001);
  const Registry closed(host_.engine(), host_.Folder("closed"), 5002, "hunter2-password");
  v1::Action action = ActionFor(closed.domain());
  LogIn(action, closed.domain(), "hunter2-password");
  v1::BuildImage::Target& second = *action.mutable_build_image()->add_targets();
  second.set_repository(open.domain() + "/team/app");
  second.set_push(true);
  host_.WatchArguments();
  const v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_TRUE(open.Has("team/app", "1"));
  EXPECT_TRUE(closed.Has("team/app", "1"));
  ASSERT_THAT(outcome.build().digests(), SizeIs(2));
  EXPECT_THAT(outcome.build().digests(0), StartsWith(closed.domain() + "/team/app@sha256:"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "hunter2"));

  Forget(closed.domain() + "/team/app:1");
  v1::Action pull;
  pull.set_resource("deployment/app");
  pull.mutable_pull_images()->set_image(closed.domain() + "/team/app:1");
  EXPECT_NE(host_.Run(pull).status(), v1::ACTION_STATUS_SUCCEEDED) << "without a login";
  *pull.mutable_pull_images()->add_logins() = action.build_image().targets(0).login();
  EXPECT_EQ(host_.Run(pull).status(), v1::ACTION_STATUS_SUCCEEDED);

  Forget(closed.domain() + "/team/app:1");
  v1::Action apply;
  apply.set_resource("deployment/app");
  apply.mutable_apply_container()->mutable_spec()->set_name("app");
  apply.mutable_apply_container()->mutable_spec()->set_image(closed.domain() + "/team/app:1");
  EXPECT_NE(host_.Run(apply).status(), v1::ACTION_STATUS_SUCCEEDED) << "without a login";
  *apply.mutable_apply_container()->mutable_login() = action.build_image().targets(0).login();
  const v1::ActionOutcome applied = host_.Run(apply);
  EXPECT_EQ(applied.status(), v1::ACTION_STATUS_SUCCEEDED) << applied.message();
}

TEST_F(PushTest, AClassicBuildTellsTheLayersItBeginsFrom) {
  const Registry open(host_.engine(), host_.Folder("open"), 5001);
  open.Fill("base");
  v1::Action action = ActionFor("itest");
  v1::BuildImage& request = *action.mutable_build_image();
  request.mutable_targets(0)->set_push(false);
  const std::string from = absl::StrCat("FROM ", open.domain(), "/team/app:base");
  request.set_dockerfile(from + "\nRUN true\n");
  const v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(host_.Output(), HasSubstr(": Pull complete")) << "by the classic builder";
  // Of fl/app:1, which the engine has, and the one of Fill.
  EXPECT_THAT(host_.progress(),
              Contains(MatchesRegex(absl::StrCat("building step 1/2: ", from,
                                                 ", [1-9] of [2-9] done\n[0-9a-f]+: .*"))));
  EXPECT_THAT(host_.progress(), Contains(HasSubstr("building step 2/2: RUN true")));
  Forget(open.domain() + "/team/app:base");
}

TEST_F(PushTest, ARefusedLoginIsClearAndFinal) {
  const Registry closed(host_.engine(), host_.Folder("closed"), 5002, "hunter2-password");
  v1::Action action = ActionFor(closed.domain());
  v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(outcome.message(),
              AllOf(HasSubstr("push 127.0.0.1:5002/team/app:1"), HasSubstr("refuses the login")));
  LogIn(action, closed.domain(), "wrong-password");
  outcome = host_.Run(action);
  EXPECT_THAT(outcome.message(),
              AllOf(HasSubstr("refuses the login"), Not(HasSubstr("wrong-password"))));
  // The image is there all the same.
  EXPECT_EQ(host_.engine().Docker(
                {"image", "inspect", "--format", "{{.Id}}", closed.domain() + "/team/app:1"}),
            outcome.build().image_id());
  EXPECT_THAT(host_.PathsBelow(host_.data() + "/private"), IsEmpty());
}

TEST_F(PushTest, AFaultThatPassesIsOvercome) {
  const Registry open(host_.engine(), host_.Folder("open"), 5001);
  const FaultProxy proxy(host_.engine(), host_.Folder("proxy"), 5003, 5001);
  for (const char* how : {"500", "429", "cut"}) {
    proxy.Fail(how, 1);
    const v1::ActionOutcome outcome = host_.Run(ActionFor(proxy.domain(), how));
    EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << how << ": " << outcome.message();
    EXPECT_EQ(proxy.Left(), 0) << how;
    EXPECT_THAT(outcome.build().digests(), SizeIs(1));
  }
}

TEST_F(PushTest, AFaultThatStaysEndsWithTheDeadline) {
  const Registry open(host_.engine(), host_.Folder("open"), 5001);
  const FaultProxy proxy(host_.engine(), host_.Folder("proxy"), 5003, 5001);
  proxy.Fail("429", 1000);
  v1::Action action = ActionFor(proxy.domain(), "stays");
  *action.mutable_deadline() = base::ToProto(absl::Seconds(12));
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("push 127.0.0.1:5003/team/app:1"));
  EXPECT_LT(proxy.Left(), 1000);
  EXPECT_FALSE(open.Has("team/app", "1"));
}

}  // namespace
}  // namespace fairlead::integration
