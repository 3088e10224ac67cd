#include "agent/allow_list.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/testing/compose_fixture.h"
#include "agent/testing/runtime_fixture.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

AllowList Make(AllowOptions options) {
  options.data_directory = "/nonexistent/agent";
  return AllowList::Make(std::move(options)).value();
}

boost::json::object Parse(const std::string& text) { return boost::json::parse(text).as_object(); }

v1::ContainerSpec WithEngine(const std::string& text) {
  v1::ContainerSpec spec;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, spec.mutable_engine()).ok());
  return spec;
}

v1::Action Applying(const v1::ContainerSpec& spec) {
  v1::Action action;
  *action.mutable_apply_container()->mutable_spec() = spec;
  return action;
}

TEST(AllowListTest, EveryKindOfActionHasAWord) {
  const auto* const body = v1::Action::descriptor()->FindOneofByName("body");
  for (int i = 0; i < body->field_count(); ++i) {
    const auto kind = static_cast<v1::Action::BodyCase>(body->field(i)->number());
    EXPECT_FALSE(WordOf(kind).empty())
        << body->field(i)->name() << " needs a row in agent/allow_list.cc";
  }
  EXPECT_TRUE(WordOf(v1::Action::BODY_NOT_SET).empty());
}

TEST(AllowListTest, NothingGivenAllowsEverything) {
  const AllowList list = Make({});
  v1::ContainerSpec spec;
  spec.add_mounts()->set_source("/etc");
  EXPECT_TRUE(list.CheckAction(Applying(spec)).ok());
  EXPECT_TRUE(list.CheckLogs().ok());
  EXPECT_TRUE(list.CheckPath("/").ok());
  EXPECT_EQ(list.Text(), "");
  EXPECT_TRUE(AllowList().CheckAction(Applying(spec)).ok());
}

TEST(AllowListTest, OnlyWordsThatAreGivenAreAllowed) {
  const AllowList list = Make({.words = {"deploy", "logs"}});
  EXPECT_TRUE(list.CheckAction(Applying({})).ok());
  EXPECT_TRUE(list.CheckLogs().ok());
  v1::Action prune;
  prune.mutable_prune_host();
  const absl::Status refused = list.CheckAction(prune);
  EXPECT_TRUE(absl::IsPermissionDenied(refused));
  EXPECT_THAT(refused.message(),
              AllOf(HasSubstr("does not allow \"host\", only deploy, logs"), HasSubstr("--allow")));
  EXPECT_TRUE(absl::IsPermissionDenied(Make({.words = {"deploy"}}).CheckLogs()));
}

TEST(AllowListTest, OptionsThatCannotBeMeantAreNamed) {
  EXPECT_THAT(AllowList::Make({.words = {"deplyo"}}).status().message(),
              AllOf(HasSubstr("\"deplyo\""), HasSubstr("deploy")));
  EXPECT_THAT(AllowList::Make({.paths = {"srv"}}).status().message(),
              HasSubstr("--allow-mount \"srv\" is not an absolute path"));
}

TEST(AllowListTest, PathsAreComparedByComponents) {
  const AllowList list = Make({.paths = {"/nonexistent/srv/", "/data"}});
  for (const char* path : {"/nonexistent/srv", "/nonexistent/srv/", "/nonexistent/srv/a/b",
                           "/data/../data/x", "//data", "/nonexistent/agent/stacks/web/files/x"}) {
    EXPECT_TRUE(list.CheckPath(path).ok()) << path;
  }
  for (const char* path :
       {"/nonexistent/srv2", "/nonexistent", "/", "/data/../etc", "/etc", "/nonexistent/srv/../x",
        "/nonexistent/agent/tls/agent.pem", "/nonexistent/agent"}) {
    EXPECT_TRUE(absl::IsPermissionDenied(list.CheckPath(path))) << path;
  }
  EXPECT_THAT(list.CheckPath("/etc").message(),
              HasSubstr("host path /etc is not below /nonexistent/srv/, /data; set by "
                        "--allow-mount"));
  EXPECT_TRUE(Make({.paths = {"/"}}).CheckPath("/etc").ok());
}

TEST(AllowListTest, LinksLeadNowhereElse) {
  const base::ScratchFolder folder;
  std::filesystem::create_directories(folder.path() + "/srv");
  std::filesystem::create_directory_symlink("/etc", folder.path() + "/srv/link");
  std::filesystem::create_directory_symlink(folder.path() + "/srv", folder.path() + "/alias");
  const AllowList list = Make({.paths = {folder.path() + "/alias"}});
  EXPECT_TRUE(list.CheckPath(folder.path() + "/srv/new").ok());
  EXPECT_TRUE(list.CheckPath(folder.path() + "/alias/new").ok());
  EXPECT_THAT(list.CheckPath(folder.path() + "/alias/link/passwd").message(),
              HasSubstr("which is /etc/passwd,"));
}

TEST(AllowListTest, EveryWayToMountIsLookedAt) {
  const AllowList list = Make({.paths = {"/data"}});
  for (const std::string& engine : {
           std::string(R"({"HostConfig": {"Binds": ["/etc:/x:ro"]}})"),
           std::string(R"({"hostconfig": {"binds": ["/etc:/x"]}})"),
           std::string(R"({"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/etc"}]}})"),
           std::string(R"({"HostConfig": {"Mounts": [{"Type": "volume", "VolumeOptions":
               {"DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/etc"}}}}]}})"),
           std::string(R"({"HostConfig": {"Devices": [{"PathOnHost": "/dev/sda"}]}})"),
           std::string(R"({"HostConfig": {"Privileged": true}})"),
       }) {
    EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(Applying(WithEngine(engine))))) << engine;
  }
  EXPECT_TRUE(list.CheckAction(Applying(WithEngine(
                                   R"({"HostConfig": {"Binds": ["/data/x:/x", "volume:/y"],
                                         "Privileged": false}})")))
                  .ok());
  v1::ContainerSpec spec;
  spec.add_mounts()->set_source("named-volume");
  EXPECT_TRUE(list.CheckAction(Applying(spec)).ok());
  spec.add_mounts()->set_source("/data/../etc");
  EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(Applying(spec))));
  v1::Action check;
  *check.mutable_check()->mutable_apply()->mutable_spec() = spec;
  EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(check)));
}

TEST(AllowListTest, ComposeIsHeldToTheSame) {
  const AllowList list = Make({.paths = {"/data"}});
  for (const char* config : {
           R"({"services": {"web": {"volumes": ["/etc:/x:ro"]}}})",
           R"({"services": {"web": {"volumes": [{"type": "bind", "source": "/etc"}]}}})",
           R"({"services": {"web": {"devices": ["/dev/sda:/dev/a"]}}})",
           R"({"services": {"web": {"privileged": true}}})",
           R"({"services": {}, "volumes": {"v": {"driver_opts": {"device": "/etc"}}}})",
           R"({"services": {}, "secrets": {"s": {"file": "/etc/shadow"}}})",
           R"({"services": {}, "configs": {"s": {"file": "/etc/shadow"}}})",
       }) {
    EXPECT_TRUE(absl::IsPermissionDenied(list.CheckCompose(Parse(config)))) << config;
    EXPECT_TRUE(Make({}).CheckCompose(Parse(config)).ok()) << config;
  }
  EXPECT_TRUE(list.CheckCompose(Parse(R"({"services": {"web": {"volumes": ["/data/a:/x", "v:/y",
      {"type": "volume", "source": "v"}], "privileged": false}}, "volumes": {"v": {}}})"))
                  .ok());
  EXPECT_THAT(
      list.CheckCompose(Parse(R"({"services": {"web": {"volumes": ["/etc:/x"]}}})")).message(),
      HasSubstr("service web: host path /etc"));
}

TEST(AllowListTest, OptionsOfARunMountNothing) {
  const AllowList list = Make({.paths = {"/data"}});
  for (const char* argument : {"-v", "-v/:/x", "-dv", "--volume", "--volume=/:/x", "--vol=/:/x"}) {
    v1::Action action;
    action.mutable_run_service()->add_arguments(argument);
    EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(action))) << argument;
    EXPECT_TRUE(Make({}).CheckAction(action).ok());
  }
  v1::Action action;
  action.mutable_run_service()->add_arguments("--rm");
  action.mutable_run_service()->add_arguments("value");
  EXPECT_TRUE(list.CheckAction(action).ok());
}

TEST(AllowListTest, HostCommandsCanBeForbidden) {
  const AllowList list = Make({.host_commands = false});
  const std::vector<std::function<void(v1::Action&)>> changes = {
      [](v1::Action& a) { a.mutable_apply_stack()->mutable_pre_deploy()->set_script("x"); },
      [](v1::Action& a) { a.mutable_apply_stack()->mutable_post_deploy()->set_script("x"); },
      [](v1::Action& a) { a.mutable_apply_stack()->set_wrapper("x [[COMPOSE_COMMAND]]"); },
      [](v1::Action& a) { a.mutable_check_stack()->mutable_stack()->set_wrapper("x"); },
      [](v1::Action& a) { a.mutable_run_service()->mutable_stack()->set_wrapper("x"); },
      [](v1::Action& a) { a.mutable_pull_images()->mutable_stack()->set_wrapper("x"); },
      [](v1::Action& a) { a.mutable_build_image()->mutable_pre_build()->set_script("x"); },
      [](v1::Action& a) { a.mutable_check_out_repo()->mutable_on_clone()->set_script("x"); },
      [](v1::Action& a) { a.mutable_check_out_repo()->mutable_on_pull()->set_script("x"); },
  };
  for (const auto& change : changes) {
    v1::Action action;
    change(action);
    EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(action))) << action.DebugString();
    EXPECT_TRUE(Make({}).CheckAction(action).ok());
  }
  v1::Action action;
  action.mutable_apply_stack()->set_project("p");
  EXPECT_TRUE(list.CheckAction(action).ok());
}

TEST(AllowListTest, FoldersOfTheHostAreLimitedToo) {
  const AllowList list = Make({.paths = {"/data"}});
  v1::Action action;
  action.mutable_check_out_repo()->set_directory("/etc/cron.d");
  EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(action)));
  action.mutable_check_out_repo()->set_directory("relative");
  EXPECT_TRUE(list.CheckAction(action).ok());
  action.mutable_apply_stack()->set_host_directory("/root");
  EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(action)));
  action.mutable_build_image()->set_host_directory("/root");
  EXPECT_TRUE(absl::IsPermissionDenied(list.CheckAction(action)));
}

class LimitedRuntimeTest : public RuntimeFixture {};

TEST_F(LimitedRuntimeTest, ARefusalIsAnOutcomeAndTouchesNothing) {
  DockerRuntime limited(DockerOptions{.engine = engine_.address(),
                                      .data_directory = folder_.path(),
                                      .allowed = AllowList::Make({.words = {"logs"}}).value()},
                        *records_, secrets_, base::Clock::Real());
  limited.SetInstallation(kTestInstallation, "k1", std::string(32, 'k'));
  const ActionContext context{.is_cancelled = [] { return false; },
                              .report = [](const v1::ActionProgress&) {},
                              .on_process_group = [](pid_t) {},
                              .log = {}};
  const v1::ActionOutcome outcome = limited.Run(Apply("a1", "h"), context);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_EQ(outcome.code(), static_cast<int32_t>(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(outcome.message(), HasSubstr("does not allow \"deploy\", only logs"));
  EXPECT_EQ(Run(Apply("a2", "h")).status(), v1::ACTION_STATUS_SUCCEEDED);
}

class LimitedComposeTest : public ComposeFixture {};

TEST_F(LimitedComposeTest, WhatComposeWouldMountIsLookedAtBeforeItRuns) {
  Write("config.yaml",
        "services:\n  web:\n    image: app:1\n    volumes:\n    - /etc:/x:ro\nversion: '3.9'\n");
  DockerRuntime limited(
      DockerOptions{.engine = engine_.address(),
                    .data_directory = folder_.path(),
                    .allowed = AllowList::Make({.paths = {"/nonexistent"}}).value()},
      *records_, secrets_, base::Clock::Real());
  limited.SetInstallation(kTestInstallation, "k1", std::string(32, 'k'));
  const ActionContext context{.is_cancelled = [] { return false; },
                              .report = [](const v1::ActionProgress&) {},
                              .on_process_group = [](pid_t) {},
                              .log = {}};
  const v1::ActionOutcome outcome = limited.Run(Stack("a1"), context);
  EXPECT_EQ(outcome.code(), static_cast<int32_t>(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(outcome.message(), HasSubstr("service web: host path /etc is not below"));
  for (const std::string& call : Calls()) EXPECT_THAT(call, ::testing::Not(HasSubstr("up")));
}

}  // namespace
}  // namespace fairlead::agent
