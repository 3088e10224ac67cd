// What happens around `compose up`: commands, builds, logins, the wrapper, files that are watched.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/once_record.h"
#include "agent/testing/compose_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Watched = v1::ApplyStack::WatchedFile;

class StackStepsTest : public ComposeFixture {
 protected:
  std::string Content(const std::string& name) const {
    return base::ReadFile(absl::StrCat(fake_, "/", name)).value_or("");
  }
  // With commands that note themselves in the file hooks.
  v1::Action Hooked(const std::string& id, const std::string& hash = "v1:k1:s1") const {
    v1::Action action = Stack(id, hash);
    v1::ApplyStack& stack = *action.mutable_apply_stack();
    stack.mutable_pre_deploy()->set_script("echo pre >>$FAKE_COMPOSE_DIR/hooks");
    stack.mutable_post_deploy()->set_script("echo post >>$FAKE_COMPOSE_DIR/hooks");
    return action;
  }
  void DeployHooked() {
    ASSERT_EQ(Run(Hooked("a1")).message(), "");
    AddContainerOf("db");
    AddContainerOf("web");
    ASSERT_EQ(Run(Hooked("a1")).message(), "");
    Calls();
    std::filesystem::remove(fake_ + "/hooks");
  }
  static void AddFile(v1::Action& action, const std::string& path, const std::string& content) {
    auto& files = *action.mutable_apply_stack()->mutable_files();
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const v1::StackFile& file) { return file.path() == path; });
    v1::StackFile& file = found == files.end() ? *files.Add() : *found;
    file.set_path(path);
    file.set_content(content);
  }
  static void Watch(v1::Action& action, Watched::Effect effect, const std::string& service) {
    Watched& watched = *action.mutable_apply_stack()->add_watched_files();
    watched.set_path("site.conf");
    watched.set_effect(effect);
    if (!service.empty()) watched.add_services(service);
  }
  // web mounts site.conf.
  void WriteMountingConfig() {
    Write(
        "config.yaml",
        absl::StrCat("services:\n  db:\n    image: app:1\n  web:\n    image: app:1\n    volumes:\n"
                     "    - ",
                     folder_.path(), "/stacks/shop/files/site.conf:/etc/site.conf:ro\n"));
  }
  // Deploys with `content` in site.conf, watched for `effect` by `service`.
  void DeployWatching(Watched::Effect effect, const std::string& service) {
    v1::Action action = Stack("a1");
    AddFile(action, "site.conf", "1");
    Watch(action, effect, service);
    ASSERT_EQ(Run(action).message(), "");
    AddContainerOf("db");
    AddContainerOf("web");
    ASSERT_EQ(Run(action).message(), "");
    Calls();
  }
  std::size_t Restarts() const {
    const std::vector<std::string> changes = engine_.Changes();
    return static_cast<std::size_t>(std::count_if(
        changes.begin(), changes.end(),
        [](const std::string& change) { return absl::StrContains(change, "restart"); }));
  }
  v1::ActionOutcome ChangeFile(Watched::Effect effect, const std::string& service) {
    v1::Action action = Stack("a2", "v1:k1:s2");
    AddFile(action, "site.conf", "2");
    Watch(action, effect, service);
    return Run(action);
  }
};

TEST_F(StackStepsTest, CommandsRunAroundAChangeAndAtNoOther) {
  DeployHooked();
  EXPECT_EQ(Run(Hooked("a2")).message(), "");
  EXPECT_EQ(Content("hooks"), "") << "nothing has changed";

  Write("config.yaml", "services:\n  db:\n    image: app:1\n    user: x\n");
  EXPECT_EQ(Run(Hooked("a3", "v1:k1:s2")).message(), "");
  EXPECT_EQ(Content("hooks"), "pre\npost\n");
  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
}

TEST_F(StackStepsTest, AFailedCommandBeforeLeavesWhatRunsAndWaitsForAPerson) {
  DeployHooked();
  Write("config.yaml", "services:\n  db:\n    image: app:1\n    user: x\n");
  v1::Action action = Hooked("a2", "v1:k1:s2");
  action.mutable_apply_stack()->mutable_pre_deploy()->set_script("echo no room; exit 3");

  const v1::ActionOutcome outcome = Run(action);

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(outcome.message(), "pre_deploy ended with 3:\nno room");
  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(Content("hooks"), "");
  EXPECT_THAT(engine_.Containers(), ElementsAre("shop_db_1 running", "shop_web_1 running"));
}

TEST_F(StackStepsTest, AFailedCommandAfterIsAllThatIsLeftToDo) {
  v1::Action action = Hooked("a1");
  action.mutable_apply_stack()->mutable_post_deploy()->set_script("exit 1");
  EXPECT_THAT(Run(action).message(), HasSubstr("post_deploy ended with 1"));
  EXPECT_FALSE(Record().ok()) << "it is not done";
  AddContainerOf("db");
  AddContainerOf("web");
  Calls();

  EXPECT_EQ(Run(Hooked("a2")).message(), "");

  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(Content("hooks"), "pre\npost\n") << "the first is of the first action";
  EXPECT_TRUE(Record().ok());
}

TEST_F(StackStepsTest, ACommandCutByACrashIsNotRunAgainForTheAction) {
  ASSERT_EQ(OnceRecord(folder_.path() + "/once").Begin("a1", "pre_deploy")->state,
            OnceState::kBegun);
  RestartAgent();

  const v1::ActionOutcome cut = Run(Hooked("a1"));
  EXPECT_EQ(cut.status(), v1::ACTION_STATUS_INTERRUPTED);
  EXPECT_THAT(cut.message(), HasSubstr("pre_deploy was cut"));
  EXPECT_EQ(Content("hooks"), "");
  EXPECT_THAT(Calls(), IsEmpty());

  EXPECT_EQ(Run(Hooked("a2")).message(), "") << "a new action";
  EXPECT_EQ(Content("hooks"), "pre\npost\n");
}

TEST_F(StackStepsTest, WhatTheCommandBeforeWritesCounts) {
  DeployHooked();
  Write("other.yaml", "services:\n  db:\n    image: app:1\n    user: z\n");
  v1::Action action = Hooked("a2", "v1:k1:s2");
  action.mutable_apply_stack()->mutable_pre_deploy()->set_script(
      "cp $FAKE_COMPOSE_DIR/other.yaml $FAKE_COMPOSE_DIR/config.yaml");
  engine_.Exit("shop_web_1", 137);

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
}

TEST_F(StackStepsTest, AWatchedFileAsksForARestart) {
  WriteMountingConfig();
  DeployWatching(Watched::EFFECT_RESTART, "web");

  EXPECT_EQ(ChangeFile(Watched::EFFECT_RESTART, "web").message(), "");

  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(Restarts(), 1u);
  EXPECT_EQ(ChangeFile(Watched::EFFECT_RESTART, "web").message(), "");
  EXPECT_EQ(Restarts(), 1u) << "once";
}

TEST_F(StackStepsTest, AWatchedFileAsksForNothing) {
  WriteMountingConfig();
  DeployWatching(Watched::EFFECT_NONE, "");

  EXPECT_EQ(ChangeFile(Watched::EFFECT_NONE, "").message(), "");

  EXPECT_THAT(Calls(), IsEmpty());
  EXPECT_EQ(Restarts(), 0u);
  EXPECT_EQ(base::ReadFile(folder_.path() + "/stacks/shop/files/site.conf").value_or(""), "2");
  EXPECT_EQ(Record()->spec_hash(), "v1:k1:s2");
}

TEST_F(StackStepsTest, AWatchedFileThatNobodyMountsAsksForARedeploy) {
  DeployWatching(Watched::EFFECT_REDEPLOY, "db");

  EXPECT_EQ(ChangeFile(Watched::EFFECT_REDEPLOY, "db").message(), "");

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d db"));
}

TEST_F(StackStepsTest, AServiceThatIsNotThereIsWarnedOf) {
  v1::Action action = Stack("a1");
  Watch(action, Watched::EFFECT_RESTART, "wbe");
  EXPECT_THAT(Run(action).warnings(), ElementsAre(HasSubstr("names service wbe")));
}

TEST_F(StackStepsTest, BuildsWhatItsFolderHasChanged) {
  Write("config.yaml",
        absl::StrCat("services:\n  db:\n    image: app:1\n  web:\n    build:\n      context: ",
                     folder_.path(), "/stacks/shop/files/app\n    image: app:1\n"));
  const auto building = [](const std::string& id, const std::string& content) {
    v1::Action action = Stack(id, absl::StrCat("v1:k1:", content));
    action.mutable_apply_stack()->set_build(true);
    action.mutable_apply_stack()->add_build_extra_args("--no-cache");
    AddFile(action, "app/Dockerfile", content);
    return action;
  };
  ASSERT_EQ(Run(building("a1", "FROM a")).message(), "");
  EXPECT_THAT(Calls(), ElementsAre("build --no-cache web", "up --no-deps -d db web"));
  AddContainerOf("db");
  AddContainerOf("web");
  ASSERT_EQ(Run(building("a2", "FROM a")).message(), "");
  EXPECT_THAT(Calls(), IsEmpty());

  Write("build.fails", "failed to solve: x\n");
  const v1::ActionOutcome failed = Run(building("a3", "FROM b"));
  EXPECT_THAT(failed.message(), HasSubstr("build: failed to solve: x"));
  EXPECT_THAT(Calls(), ElementsAre("build --no-cache web"));

  std::filesystem::remove(fake_ + "/build.fails");
  EXPECT_EQ(Run(building("a4", "FROM b")).message(), "");
  EXPECT_THAT(Calls(), ElementsAre("build --no-cache web", "up --no-deps -d web"));
}

TEST_F(StackStepsTest, LoginsAreThereForTheActionOnly) {
  v1::Action action = Stack("a1");
  v1::Login& login = *action.mutable_apply_stack()->add_logins();
  login.set_domain("r.example.com");
  login.set_username("ci");
  login.set_secret("t0ken");

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_THAT(Content("docker-config"), HasSubstr("\"r.example.com\""));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/stacks/shop/docker-config"));
}

TEST_F(StackStepsTest, TheWrapperGoesAroundTheCommandsThatItNames) {
  v1::Action action = Stack("a1");
  v1::ApplyStack& stack = *action.mutable_apply_stack();
  stack.set_wrapper("SECRET_WORD=\"it's\" sh -c '[[COMPOSE_COMMAND]]'");
  stack.add_wrap("up");
  stack.add_extra_args("--label");
  stack.add_extra_args("a 'quoted' word");

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_EQ(Content("word"), "up it's\n");
  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d --label a 'quoted' word db web"));

  v1::Action failing = Stack("a2", "v1:k1:s2");
  failing.mutable_apply_stack()->set_wrapper("nosuchtool [[COMPOSE_COMMAND]]");
  failing.mutable_apply_stack()->add_wrap("config");
  const v1::ActionOutcome outcome = Run(failing);
  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(outcome.message(), HasSubstr("nosuchtool"));
}

TEST_F(StackStepsTest, ProfilesOfArgumentsStandBeforeTheCommand) {
  Write("config.yaml",
        "services:\n  db:\n    image: app:1\n  debug:\n    image: app:1\n    profiles:\n"
        "    - tools\n");
  v1::Action action = Stack("a1");
  action.mutable_apply_stack()->add_extra_args("--profile");
  action.mutable_apply_stack()->add_extra_args("tools");
  action.mutable_apply_stack()->add_extra_args("--quiet-pull");

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_THAT(Calls(), ElementsAre("up --no-deps -d --quiet-pull db debug"));
  EXPECT_THAT(Content("profiles"), HasSubstr("profile tools"));
}

// A run of a service and a pull, with what surrounds calls of a deploy.
v1::ApplyStack Surrounded(const v1::Action& action) {
  v1::ApplyStack stack = action.apply_stack();
  stack.set_wrapper("SECRET_WORD=open sh -c '[[COMPOSE_COMMAND]]'");
  stack.add_wrap("pull");
  stack.add_wrap("run");
  stack.add_extra_args("--profile");
  stack.add_extra_args("tools");
  stack.add_extra_args("--quiet-pull");
  stack.set_environment("A=1\nCOMPOSE_PROFILES=debug,more\n");
  stack.set_env_file_path(".env");
  v1::Login& login = *stack.add_logins();
  login.set_domain("r.example.com");
  login.set_username("ci");
  login.set_secret("t0ken");
  return stack;
}

TEST_F(StackStepsTest, APullHasTheProfilesTheWrapperAndTheLogins) {
  v1::Action action = ActionOf("p1", "stack/shop");
  *action.mutable_pull_images()->mutable_stack() = Surrounded(Stack("x"));
  *action.mutable_pull_images()->mutable_logins() = action.pull_images().stack().logins();

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_THAT(Calls(), ElementsAre("pull"));
  EXPECT_EQ(Content("word"), "pull open\n");
  EXPECT_EQ(Content("profiles"), "profile debug\nprofile more\nprofile tools\n");
  EXPECT_THAT(Content("docker-config"), HasSubstr("\"r.example.com\""));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/stacks/shop/docker-config-of-job"));
}

TEST_F(StackStepsTest, ARunOfAServiceHasTheProfilesTheWrapperAndTheLogins) {
  v1::Action action = ActionOf("r1", "stack/shop");
  v1::RunService& request = *action.mutable_run_service();
  *request.mutable_stack() = Surrounded(Stack("x"));
  request.set_service("job");
  request.add_arguments("--name=mine");
  request.add_command("true");

  EXPECT_EQ(Run(action).message(), "");

  EXPECT_THAT(Calls(), ElementsAre("run -T --rm --name=mine job true"));
  EXPECT_EQ(Content("word"), "run open\n");
  EXPECT_EQ(Content("profiles"), "profile debug\nprofile more\nprofile tools\n");
  EXPECT_THAT(Content("docker-config"), HasSubstr("\"r.example.com\""));
}

TEST_F(StackStepsTest, ARunOfAServiceIsNeverRepeated) {
  v1::Action action = ActionOf("r1", "stack/shop");
  *action.mutable_run_service()->mutable_stack() = Stack("x").apply_stack();
  action.mutable_run_service()->set_service("job");
  const OnceRecord once(folder_.path() + "/once");
  ASSERT_TRUE(once.Begin("r1", "run of job").ok());
  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_INTERRUPTED);

  ASSERT_TRUE(once.End("r1", "run of job", absl::OkStatus()).ok());
  RestartAgent();
  EXPECT_EQ(Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << "its end was noted";
  ASSERT_TRUE(once.End("r1", "run of job", absl::NotFoundError("run of job: no image")).ok());
  RestartAgent();
  EXPECT_EQ(Run(action).message(), "run of job: no image");
  EXPECT_THAT(Calls(), IsEmpty());
}

}  // namespace
}  // namespace fairlead::agent
