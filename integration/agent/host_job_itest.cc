// What people have done on a host beside what is declared.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "integration/agent/agent_host.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HostJobTest : public ::testing::Test {
 protected:
  v1::Action ApplyOf(const std::string& name) const {
    v1::Action action;
    action.set_resource("deployment/" + name);
    v1::ContainerSpec& spec = *action.mutable_apply_container()->mutable_spec();
    spec.set_name(name);
    spec.set_image("fl/app:1");
    return action;
  }
  std::string StateOf(const std::string& name) const {
    const std::string state = host_.engine().Docker(
        {"ps", "--all", "--format", "{{.State}}", "--filter", absl::StrCat("name=^", name, "$")});
    return state.empty() ? "none" : state;
  }
  std::string Foreign(const std::string& name) const {
    return host_.engine().Docker({"run", "--detach", "--name", name, "fl/app:1"});
  }
  // `containers` with a blank between.
  v1::ActionOutcome Act(v1::ActOnContainer::Verb verb, const std::string& containers) {
    v1::Action action;
    action.set_resource("server/host-1");
    action.mutable_act_on_container()->set_verb(verb);
    for (const auto name : absl::StrSplit(containers, ' ', absl::SkipEmpty())) {
      action.mutable_act_on_container()->add_container(std::string(name));
    }
    return host_.Run(action);
  }
  v1::ActionOutcome Prune(v1::PruneHost::What what) {
    v1::Action action;
    action.set_resource("server/host-1");
    action.mutable_prune_host()->set_what(what);
    return host_.Run(action);
  }
  v1::ActionOutcome Remove(v1::RemoveFromHost::Kind kind, const std::string& name) {
    v1::Action action;
    action.set_resource("server/host-1");
    action.mutable_remove_from_host()->set_kind(kind);
    action.mutable_remove_from_host()->set_name(name);
    return host_.Run(action);
  }
  static absl::StatusCode CodeOf(const v1::ActionOutcome& outcome) {
    return static_cast<absl::StatusCode>(outcome.code());
  }

  AgentHost host_;
};

TEST_F(HostJobTest, PausesAndUnpausesAResource) {
  ASSERT_EQ(host_.Run(ApplyOf("web")).status(), v1::ACTION_STATUS_SUCCEEDED);
  Foreign("other");
  v1::Action action;
  action.set_resource("deployment/web");
  action.mutable_pause();
  EXPECT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << "it is so already";
  EXPECT_EQ(StateOf("web"), "paused");
  EXPECT_EQ(StateOf("other"), "running");
  action.mutable_unpause();
  EXPECT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(StateOf("web"), "running");
  action.set_resource("deployment/none");
  EXPECT_EQ(CodeOf(host_.Run(action)), absl::StatusCode::kNotFound);
}

TEST_F(HostJobTest, ActsOnOneContainerWhoeverItBelongsTo) {
  const std::string id = Foreign("other");
  Foreign("bystander");
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_PAUSE, "other").report(), "paused 1 container");
  EXPECT_EQ(StateOf("other"), "paused");
  Act(v1::ActOnContainer::VERB_UNPAUSE, id);
  EXPECT_EQ(StateOf("other"), "running");
  Act(v1::ActOnContainer::VERB_STOP, id.substr(0, 12));
  EXPECT_EQ(StateOf("other"), "exited");
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_STOP, "other").report(), "stopped 0 containers");
  Act(v1::ActOnContainer::VERB_START, "other");
  EXPECT_EQ(StateOf("other"), "running");
  Act(v1::ActOnContainer::VERB_RESTART, "other");
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_PAUSE, "other bystander").report(), "paused 2 containers");
  Act(v1::ActOnContainer::VERB_UNPAUSE, "other bystander");
  EXPECT_EQ(CodeOf(Act(v1::ActOnContainer::VERB_STOP, "other none")), absl::StatusCode::kNotFound);
  EXPECT_EQ(StateOf("other"), "running") << "nothing is done by halves";
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_REMOVE, "other").status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(StateOf("other"), "none");
  EXPECT_EQ(StateOf("bystander"), "running");
  EXPECT_EQ(CodeOf(Act(v1::ActOnContainer::VERB_START, "other")), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(Act(v1::ActOnContainer::VERB_REMOVE, "")), absl::StatusCode::kInvalidArgument);
}

TEST_F(HostJobTest, ActsOnAll) {
  Foreign("one");
  Foreign("two");
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_STOP, "").report(), "stopped 2 containers");
  EXPECT_EQ(Act(v1::ActOnContainer::VERB_START, "").report(), "started 2 containers");
  EXPECT_EQ(StateOf("one"), "running");
  EXPECT_EQ(StateOf("two"), "running");
}

TEST_F(HostJobTest, PrunesWhatNothingUsesAndSaysWhat) {
  ASSERT_EQ(host_.Run(ApplyOf("web")).status(), v1::ACTION_STATUS_SUCCEEDED);
  v1::Action stop;
  stop.set_resource("deployment/web");
  stop.mutable_stop();
  ASSERT_EQ(host_.Run(stop).status(), v1::ACTION_STATUS_SUCCEEDED);
  Foreign("gone");
  Foreign("stays");
  host_.engine().Docker({"stop", "--time", "1", "gone"});
  EXPECT_EQ(Prune(v1::PruneHost::WHAT_CONTAINERS).report().substr(0, 19), "removed 1 container");
  EXPECT_EQ(StateOf("gone"), "none");
  EXPECT_EQ(StateOf("stays"), "running");
  EXPECT_EQ(StateOf("web"), "exited") << "a stopped one of ours is in use";

  host_.engine().Docker({"network", "create", "unused"});
  host_.engine().Docker({"volume", "create", "unused"});
  EXPECT_EQ(Prune(v1::PruneHost::WHAT_NETWORKS).report(), "removed 1 network");
  EXPECT_THAT(Prune(v1::PruneHost::WHAT_SYSTEM).report(), HasSubstr("removed"));
  EXPECT_THAT(host_.engine().Docker({"volume", "ls", "--quiet"}), HasSubstr("unused"))
      << "volumes go only when they are asked for";
  EXPECT_THAT(Prune(v1::PruneHost::WHAT_VOLUMES).report(), HasSubstr("removed 1 volume"));
  EXPECT_EQ(Prune(v1::PruneHost::WHAT_VOLUMES).report(), "removed nothing");
  EXPECT_EQ(Prune(v1::PruneHost::WHAT_BUILD_CACHE).status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(HostJobTest, RemovesByName) {
  host_.engine().Docker({"network", "create", "unused"});
  host_.engine().Docker({"volume", "create", "unused"});
  host_.engine().Docker({"tag", "fl/app:1", "itest/copy:1"});
  EXPECT_EQ(Remove(v1::RemoveFromHost::KIND_NETWORK, "unused").report(), "removed network unused");
  EXPECT_EQ(Remove(v1::RemoveFromHost::KIND_VOLUME, "unused").report(), "removed volume unused");
  EXPECT_EQ(Remove(v1::RemoveFromHost::KIND_IMAGE, "itest/copy:1").report(),
            "removed image itest/copy:1");
  EXPECT_EQ(CodeOf(Remove(v1::RemoveFromHost::KIND_VOLUME, "unused")), absl::StatusCode::kNotFound);
  host_.engine().Docker({"run", "--detach", "--name", "holder", "-v", "held:/x", "fl/app:1"});
  EXPECT_EQ(CodeOf(Remove(v1::RemoveFromHost::KIND_VOLUME, "held")),
            absl::StatusCode::kFailedPrecondition);
}

v1::Action RunServiceOf(const std::string& script) {
  v1::Action action;
  action.set_resource("stack/shop");
  v1::RunService& request = *action.mutable_run_service();
  request.mutable_stack()->set_project("shop");
  v1::StackFile& file = *request.mutable_stack()->add_files();
  file.set_path("compose.yaml");
  file.set_content("services:\n  job:\n    image: fl/app:1\n    network_mode: none\n");
  request.set_service("job");
  request.add_command("/bin/sh");
  request.add_command("-c");
  request.add_command(script);
  return action;
}

TEST_F(HostJobTest, RunsAServiceAndShowsItsOutput) {
  v1::ActionOutcome outcome = host_.Run(RunServiceOf("echo hello from the job"));
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(host_.Output(), HasSubstr("hello from the job"));
  EXPECT_EQ(host_.engine().Docker({"ps", "--all", "--quiet"}), "");
  outcome = host_.Run(RunServiceOf("echo sorry; exit 4"));
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("run of job"));
  EXPECT_EQ(host_.RunAndCancelAt(RunServiceOf("echo hanging; sleep 1000"), "hanging").status(),
            v1::ACTION_STATUS_CANCELLED);
  EXPECT_EQ(host_.engine().Docker({"ps", "--all", "--quiet"}), "");
}

TEST_F(HostJobTest, EngineOptionsArriveAndAreNoDrift) {
  v1::Action action = ApplyOf("web");
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  R"({"Hostname":"beta","HostConfig":{"CapAdd":["NET_ADMIN"],"Memory":67108864,
                      "Ulimits":[{"Name":"nofile","Soft":99,"Hard":99}],"Init":true}})",
                  action.mutable_apply_container()->mutable_spec()->mutable_engine())
                  .ok());
  action.set_spec_hash("h1");
  v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(host_.engine().Docker({"exec", "web", "hostname"}), "beta");
  EXPECT_EQ(host_.engine().Docker({"exec", "web", "/bin/sh", "-c", "ulimit -n"}), "99");
  EXPECT_EQ(host_.engine().Docker({"inspect", "--format", "{{.HostConfig.Memory}}", "web"}),
            "67108864");
  const std::string id = host_.engine().IdOf("web");
  action.set_id("again");
  outcome = host_.Run(action);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(host_.engine().IdOf("web"), id) << "it is as it was made";
}

}  // namespace
}  // namespace fairlead::integration
