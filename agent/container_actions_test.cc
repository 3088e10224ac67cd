#include "agent/container_actions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/engine_json.h"
#include "agent/probe_schedule.h"
#include "agent/testing/runtime_fixture.h"

namespace fairlead::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ContainerActionsTest : public RuntimeFixture {
 protected:
  static boost::json::object Labels(const std::string& resource) {
    boost::json::object labels;
    for (const auto& [key, value] : OwnLabels(kTestInstallation, resource, "h", "x")) {
      labels[key] = value;
    }
    return labels;
  }
  // A foreign container that matches Apply's spec of "one".
  void AddForeignWeb() {
    engine_.AddContainer(
        "web",
        {{"Image", "app:1"},
         {"Env", {"PATH=/bin", "SPEC=one"}},
         {"HostConfig",
          {{"PortBindings", {{"80/tcp", {{{"HostIp", ""}, {"HostPort", "8080"}}}}}},
           {"RestartPolicy", {{"Name", "unless-stopped"}}},
           {"NetworkMode", "default"}}}},
        "running");
  }
  static v1::Action Adopt(const std::string& id) {
    v1::Action action = ActionOf(id);
    action.set_spec_hash("v1:k1:one");
    *action.mutable_adopt()->mutable_spec() = Apply(id, "one").apply_container().spec();
    return action;
  }
};

TEST_F(ContainerActionsTest, KeepingTheNewOneRemovesTheOldOne) {
  Run(Apply("a1", "one"));
  const std::string new_id = Run(Apply("a2", "two")).container_id();

  EXPECT_EQ(Run(Finish("f1", v1::FinishReplacement::KEEP_NEW)).status(),
            v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
  EXPECT_EQ(engine_.IdOf("web"), new_id);
}

TEST_F(ContainerActionsTest, KeepingTheNewOneRefusesWhenItIsGone) {
  Run(Apply("a1", "one"));
  Run(Apply("a2", "two"));
  engine_.RemoveByHand("web");

  const v1::ActionOutcome outcome = Run(Finish("f1", v1::FinishReplacement::KEEP_NEW));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web.fairlead-old exited"));
}

TEST_F(ContainerActionsTest, KeepingTheNewOneRefusesWhenItHasExitedSinceItWasJudged) {
  const std::string old_id = Run(Apply("a1", "one")).container_id();
  Run(Apply("a2", "two"));
  v1::Action finish = Finish("f1", v1::FinishReplacement::KEEP_NEW);
  finish.mutable_finish_replacement()->set_must_run(true);
  engine_.Exit("web", 3);

  EXPECT_THAT(Run(finish).message(), HasSubstr("does not run: the old one is kept"));
  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), old_id);

  engine_.CrashAndRestart("web", 3);
  finish.set_id("f2");
  EXPECT_THAT(Run(finish).message(), HasSubstr("does not run: the old one is kept"));

  EXPECT_EQ(engine_.IdOf("web.fairlead-old"), old_id);
}

TEST_F(ContainerActionsTest, KeepingTheOldOneBringsTheLogOfTheNewOne) {
  const std::string old_id = Run(Apply("a1", "one")).container_id();
  Run(Apply("a2", "two"));
  engine_.SetLog("web", "cannot open /etc/app.conf");
  engine_.Exit("web", 1);

  const v1::ActionOutcome outcome = Run(Finish("f1", v1::FinishReplacement::KEEP_OLD));

  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(outcome.log_tail(), "cannot open /etc/app.conf");
  EXPECT_EQ(engine_.IdOf("web"), old_id);
  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(ContainerActionsTest, KeepingTheOldOneMayLeaveItStopped) {
  Run(Apply("a1", "one"));
  Run(Apply("a2", "two"));
  v1::Action finish = Finish("f1", v1::FinishReplacement::KEEP_OLD);
  finish.mutable_finish_replacement()->set_leave_stopped(true);

  Run(finish);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web exited"));
}

TEST_F(ContainerActionsTest, StartsAndStopsEveryContainerOfTheResource) {
  engine_.AddContainer("p_a_1", {{"Image", "app:1"}, {"Labels", Labels("stack/p")}}, "exited");
  engine_.AddContainer("p_b_1", {{"Image", "app:1"}, {"Labels", Labels("stack/p")}}, "running");
  engine_.AddContainer("q_a_1", {{"Image", "app:1"}, {"Labels", Labels("stack/q")}}, "exited");
  v1::Action start = ActionOf("s1", "stack/p");
  start.mutable_start();
  v1::Action stop = ActionOf("s2", "stack/p");
  stop.mutable_stop();

  Run(start);
  EXPECT_THAT(engine_.Containers(), ElementsAre("p_a_1 running", "p_b_1 running", "q_a_1 exited"));
  Run(stop);
  EXPECT_THAT(engine_.Containers(), ElementsAre("p_a_1 exited", "p_b_1 exited", "q_a_1 exited"));
}

TEST_F(ContainerActionsTest, StartingWithoutAContainerIsNotFound) {
  v1::Action start = ActionOf("s1");
  start.mutable_start();

  EXPECT_EQ(Run(start).code(), static_cast<int>(absl::StatusCode::kNotFound));
}

TEST_F(ContainerActionsTest, StopUsesAnotherSignalOnRequest) {
  Run(Apply("a1", "one"));
  v1::Action stop = ActionOf("s1");
  stop.mutable_stop()->set_signal("SIGQUIT");

  Run(stop);

  EXPECT_THAT(engine_.Changes(), Contains(HasSubstr("/kill")));
  EXPECT_THAT(engine_.Containers(), ElementsAre("web exited"));
}

TEST_F(ContainerActionsTest, RestartLeavesTheOldOneAlone) {
  Run(Apply("a1", "one"));
  Run(Apply("a2", "two"));
  v1::Action restart = ActionOf("r1");
  restart.mutable_restart();

  EXPECT_EQ(Run(restart).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
}

TEST_F(ContainerActionsTest, UpdateChangesTheRestartPolicyInPlace) {
  const std::string id = Run(Apply("a1", "one")).container_id();
  v1::Action update = ActionOf("u1");
  update.mutable_update()->set_restart_policy("always");

  Run(update);

  EXPECT_EQ(engine_.RestartPolicyOf("web"), "always");
  EXPECT_EQ(engine_.IdOf("web"), id);
}

TEST_F(ContainerActionsTest, RemovesOnlyTheGivenIds) {
  const std::string old_id = Run(Apply("a1", "one")).container_id();
  Run(Apply("a2", "two"));
  v1::Action remove = ActionOf("r1");
  remove.mutable_remove()->add_ids(old_id);
  remove.mutable_remove()->add_ids("nosuch");

  EXPECT_EQ(Run(remove).status(), v1::ACTION_STATUS_SUCCEEDED);

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running"));
}

TEST_F(ContainerActionsTest, RemoveLeavesForeignContainersEvenByTheirId) {
  const std::string foreign = engine_.AddContainer("db", {{"Image", "app:1"}}, "running");
  v1::Action remove = ActionOf("r1");
  remove.mutable_remove()->add_ids(foreign);

  Run(remove);

  EXPECT_THAT(engine_.Containers(), ElementsAre("db running"));
}

TEST_F(ContainerActionsTest, AdoptsAMatchingContainerAndThenOwnsIt) {
  AddForeignWeb();

  EXPECT_EQ(Run(Adopt("d1")).message(), "");
  RestartAgent();
  EXPECT_EQ(Run(Apply("a2", "one")).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_THAT(engine_.Changes(), IsEmpty()) << "what is adopted and equal stays as it is";
  Run(Apply("a3", "two"));

  EXPECT_THAT(engine_.Containers(), ElementsAre("web running", "web.fairlead-old exited"));
}

TEST_F(ContainerActionsTest, AnAdoptionRecordsTheProbe) {
  AddForeignWeb();
  v1::Action adopt = Adopt("d1");
  v1::ContainerSpec::Healthcheck& check =
      *adopt.mutable_adopt()->mutable_spec()->mutable_healthcheck();
  check.mutable_probe()->set_port(8080);

  EXPECT_EQ(Run(adopt).message(), "");

  EXPECT_EQ(records_->Find(engine_.IdOf("web"))->probe, ProbeText(check));
}

TEST_F(ContainerActionsTest, AdoptionUnderstandsMountsInTheirLongForm) {
  const boost::json::array mounts = {
      {{"Type", "volume"}, {"Source", "data"}, {"Target", "/data"}},
      {{"Type", "bind"}, {"Source", "/srv"}, {"Target", "/srv"}, {"ReadOnly", true}}};
  engine_.AddContainer("web",
                       {{"Image", "app:1"},
                        {"HostConfig",
                         {{"Binds", {"logs:/logs:rw"}},
                          {"Mounts", mounts},
                          {"RestartPolicy", {{"Name", "unless-stopped"}}}}}},
                       "running");
  v1::Action adopt = Adopt("d1");
  v1::ContainerSpec& spec = *adopt.mutable_adopt()->mutable_spec();
  spec.clear_environment();
  spec.clear_ports();
  const auto mount = [&spec](const char* source, const char* target, const char* options) {
    v1::ContainerSpec::Mount& added = *spec.add_mounts();
    added.set_source(source);
    added.set_target(target);
    added.set_options(options);
  };
  mount("data", "/data", "rw");
  mount("logs", "/logs", "");
  mount("/srv", "/srv", "");

  EXPECT_THAT(Run(adopt).message(), HasSubstr("differs from its declaration: volumes"));
  spec.mutable_mounts(2)->set_options("ro");
  adopt.set_id("d2");
  EXPECT_EQ(Run(adopt).message(), "");
}

TEST_F(ContainerActionsTest, AdoptionNamesWhatDiffersButNoValues) {
  AddForeignWeb();
  v1::Action adopt = Adopt("d1");
  v1::ContainerSpec& spec = *adopt.mutable_adopt()->mutable_spec();
  spec.add_environment("TOKEN=s3cret");
  spec.set_restart_policy("always");
  spec.mutable_ports(0)->set_host_port(8081);

  const v1::ActionOutcome outcome = Run(adopt);

  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(outcome.message(), HasSubstr("environment.TOKEN"));
  EXPECT_THAT(outcome.message(), HasSubstr("restart: unless-stopped, not always"));
  EXPECT_THAT(outcome.message(), HasSubstr("ports"));
  EXPECT_THAT(outcome.message(), Not(HasSubstr("s3cret")));
}

TEST_F(ContainerActionsTest, AdoptionRefusesWhatBelongsToAnother) {
  engine_.AddContainer("web", {{"Image", "app:1"}, {"Labels", Labels("deployment/other")}},
                       "running");

  EXPECT_THAT(Run(Adopt("d1")).message(), HasSubstr("belongs to deployment/other"));
}

TEST_F(ContainerActionsTest, SendsLogLinesWithTimeAndSource) {
  Run(Apply("a1", "one"));
  engine_.SetLog("web", "ready");
  std::vector<v1::LogLines::Line> lines;
  v1::LogRequest request;
  request.set_resource("deployment/web");
  request.set_tail(-1);

  const absl::Status status = runtime_->Logs(
      request, [&](const v1::LogLines& sent) { lines.push_back(sent.lines(0)); },
      [] { return false; });

  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text(), "ready");
  EXPECT_EQ(lines[0].source(), "web");
  EXPECT_EQ(lines[0].time().seconds(), 1'700'000'000);
  EXPECT_EQ(lines[0].time().nanos(), 500'000'000);
}

TEST_F(ContainerActionsTest, LogsOfNothingAreNotFound) {
  v1::LogRequest request;
  request.set_resource("deployment/none");

  EXPECT_TRUE(
      absl::IsNotFound(runtime_->Logs(request, [](const v1::LogLines&) {}, [] { return false; })));
}

}  // namespace
}  // namespace fairlead::agent
