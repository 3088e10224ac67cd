// fairlead run, runs, cancel, logs and get schedule.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "cli/testing/command_test.h"
#include "cli/testing/screen.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

v1::Run RunOf(v1::RunState state) {
  v1::Run run;
  run.set_id("4k2m9x7q1a");
  run.set_resource("procedure/nightly");
  run.set_state(state);
  run.set_who("ann");
  run.mutable_created_at()->set_seconds(1'700'000'000);
  v1::RunStage& stage = *run.add_stages();
  stage.set_name("restart");
  stage.set_state(state);
  v1::RunExecution& execution = *stage.add_executions();
  execution.set_type("RestartDeployment");
  execution.set_target("deployment/web");
  execution.set_state(state);
  return run;
}

void Say(const std::string& text, v1::Run& run) { run.add_log()->set_text(text); }

class RunTest : public CommandTest {
 protected:
  RunTest() { *controller_.run.mutable_run() = RunOf(v1::RUN_STATE_WAITING); }
  void Change(const v1::Run& run) { *controller_.run_changes.emplace_back().mutable_run() = run; }
};

TEST_F(RunTest, SaysHowToFollowIt) {
  const Outcome outcome = RunCommand({"run", "procedure/nightly", "--why", "before the holidays"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "run/4k2m9x7q1a of procedure/nightly begins; to follow it: fairlead logs "
            "run/4k2m9x7q1a -f\n");
  EXPECT_EQ(controller_.run_request.resource(), "procedure/nightly");
  EXPECT_EQ(controller_.run_request.why(), "before the holidays");
}

TEST_F(RunTest, WaitsPrintsEachLineOnceAndFailsWithTheRun) {
  v1::Run run = RunOf(v1::RUN_STATE_RUNNING);
  Say("one", run);
  Change(run);
  Say("two", run);
  run.set_state(v1::RUN_STATE_FAILED);
  Change(run);
  *controller_.runs.add_runs() = RunOf(v1::RUN_STATE_WAITING);
  const Outcome outcome = RunCommand({"run", "procedure/nightly", "--wait"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "run/4k2m9x7q1a\none\ntwo\n");
  EXPECT_EQ(controller_.watch_runs_request.id(), "4k2m9x7q1a");
  controller_.run_changes.back().mutable_run()->set_state(v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(RunCommand({"run", "procedure/nightly", "--wait"}).code, 0);
}

TEST_F(RunTest, AControllerThatGoesAwayIsAnError) {
  Change(RunOf(v1::RUN_STATE_RUNNING));
  controller_.error = {grpc::StatusCode::UNAVAILABLE, "the controller is stopping"};
  EXPECT_EQ(RunCommand({"run", "procedure/nightly", "--wait"}).code, 1);
}

TEST_F(RunTest, ListsRunsAsATable) {
  v1::Run run = RunOf(v1::RUN_STATE_RUNNING);
  run.mutable_stages(0)->mutable_executions(0)->set_message("waits for health");
  *controller_.runs.add_runs() = run;
  const Outcome outcome = RunCommand({"runs", "procedure/nightly", "--tail", "5"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("RUN"), HasSubstr("run/4k2m9x7q1a"),
                                 HasSubstr("running"), HasSubstr("ann"),
                                 HasSubstr("RestartDeployment deployment/web: waits for health")));
  EXPECT_EQ(controller_.runs_request.resource(), "procedure/nightly");
  EXPECT_EQ(controller_.runs_request.limit(), 5u);
}

TEST_F(RunTest, WatchingPrintsALineForEachChange) {
  Change(RunOf(v1::RUN_STATE_RUNNING));
  Change(RunOf(v1::RUN_STATE_SUCCEEDED));
  const Outcome outcome = RunCommand({"runs", "-w"});
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("run/4k2m9x7q1a  procedure/nightly  running  RestartDeployment"),
                    HasSubstr("procedure/nightly  succeeded\n")));
}

TEST_F(RunTest, CancelsARunAndStillAnAction) {
  controller_.execution.set_message("run/4k2m9x7q1a of procedure/nightly is cancelled");
  const Outcome outcome = RunCommand({"cancel", "run/4k2m9x7q1a", "--why", "oops"});
  EXPECT_EQ(outcome.out, "run/4k2m9x7q1a of procedure/nightly is cancelled\n");
  EXPECT_EQ(controller_.cancel_run_request.id(), "4k2m9x7q1a");
  EXPECT_EQ(controller_.cancel_run_request.why(), "oops");
  RunCommand({"cancel", "deployment/web"});
  EXPECT_THAT(controller_.executed, ElementsAre("CancelRun", "Cancel"));
}

TEST_F(RunTest, PrintsAndFollowsTheLog) {
  v1::Run run = RunOf(v1::RUN_STATE_RUNNING);
  Say("one", run);
  Say("two \x1b[31m", run);
  *controller_.runs.add_runs() = run;
  EXPECT_EQ(RunCommand({"logs", "run/4k2m9x7q1a", "--tail", "1"}).out, "two \\x1b[31m\n");
  run.set_lines_dropped(2);
  run.set_state(v1::RUN_STATE_SUCCEEDED);
  Change(run);
  EXPECT_EQ(RunCommand({"logs", "run", "4k2m9x7q1a", "-f"}).out, "one\ntwo \\x1b[31m\n");
  controller_.runs.Clear();
  EXPECT_EQ(RunCommand({"logs", "run/none"}).err,
            "fairlead: no run none is kept. List them with: fairlead runs\n");
}

TEST_F(RunTest, BuildsByNameAndPrintsTheOutputAsItComes) {
  v1::Run run = RunOf(v1::RUN_STATE_FAILED);
  *controller_.runs.add_runs() = run;
  controller_.run_log.emplace_back().add_lines()->set_text("step 1");
  controller_.run_log.emplace_back().set_dropped(7);
  controller_.run_log.back().add_lines()->set_text("step 9");
  const Outcome outcome = RunCommand({"build", "api", "--wait", "--force"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("step 1\n... 7 lines are no longer kept ...\nstep 9\n"));
  EXPECT_EQ(controller_.run_request.resource(), "build/api");
  EXPECT_TRUE(controller_.run_request.force());
  EXPECT_TRUE(controller_.run_log_request.follow());
  EXPECT_EQ(controller_.run_log_request.tail(), -1);
}

// A run in its second stage of three: one execution is done, one under way, one waits.
v1::Run RollingRun() {
  v1::Run run = RunOf(v1::RUN_STATE_RUNNING);
  run.mutable_stages(0)->set_state(v1::RUN_STATE_SUCCEEDED);
  v1::RunStage& stage = *run.add_stages();
  stage.set_name("then the rest");
  stage.set_state(v1::RUN_STATE_RUNNING);
  for (const auto& [name, state] :
       {std::pair{"one", v1::RUN_STATE_SUCCEEDED}, std::pair{"two", v1::RUN_STATE_RUNNING},
        std::pair{"three", v1::RUN_STATE_WAITING}}) {
    v1::RunExecution& execution = *stage.add_executions();
    execution.set_type("Deploy");
    execution.set_target(absl::StrCat("deployment/", name));
    execution.set_request_id(name);
    execution.set_state(state);
  }
  run.add_stages()->set_state(v1::RUN_STATE_WAITING);
  return run;
}

class LiveRunTest : public RunTest {
 protected:
  LiveRunTest() {
    terminal_ = true;
    variables_["NO_COLOR"] = "1";
    Change(RollingRun());
    *controller_.runs.add_runs() = RunOf(v1::RUN_STATE_SUCCEEDED);
    controller_.run_log.emplace_back().add_lines()->set_text("Deploy deployment/one: done");
    v1::ActionProgress& progress = *controller_.later.emplace_back().mutable_progress();
    progress.set_action_id("a1");
    progress.set_resource("deployment/two");
    progress.set_phase("pulling");
    progress.set_detail("nginx:1, 1 of 3 done\n3f4fca: 12.3 of 40.0 MB\nbb: extracting");
    progress.set_current(12'300'000);
    progress.set_total(40'000'000);
    controller_.run_log_may_end = [this] {
      const std::string text = shown_->text();
      return absl::StrContains(text, "bb: extracting") && absl::StrContains(text, "stage 2/3");
    };
  }
};

TEST_F(LiveRunTest, ShowsStageExecutionsAndLayersBelowTheLog) {
  screen_ = {.width = 90, .height = 24};
  const Outcome outcome = RunCommand({"run", "procedure/nightly", "--wait"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  Screen during(screen_.width, screen_.height);
  during.Write(outcome.out.substr(0, outcome.out.find('\n', outcome.out.rfind("/three"))));
  EXPECT_THAT(during.Lines(),
              ElementsAre("run/4k2m9x7q1a", "Deploy deployment/one: done",
                          "  stage 2/3 then the rest: 1 of 3 done", "  ok Deploy deployment/one",
                          StartsWith("  .. Deploy deployment/two    pulling nginx:1, 1 of 3 done  "
                                     "12.3 / 40.0 MB"),
                          "       3f4fca: 12.3 of 40.0 MB", "       bb: extracting",
                          "  -- Deploy deployment/three"));
  Screen after(screen_.width, screen_.height);
  after.Write(outcome.out);
  EXPECT_THAT(after.Lines(), ElementsAre("run/4k2m9x7q1a", "Deploy deployment/one: done"))
      << "what was under way has left nothing";
  EXPECT_FALSE(after.broken());
}

TEST_F(LiveRunTest, ASmallTerminalIsNeverOverrun) {
  screen_ = {.width = 40, .height = 7};
  const Outcome outcome = RunCommand({"logs", "run/4k2m9x7q1a", "-f"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  Screen screen(screen_.width, screen_.height);
  screen.Write(outcome.out);
  EXPECT_FALSE(screen.broken());
  EXPECT_THAT(screen.Lines(), ElementsAre("Deploy deployment/one: done"));
}

TEST_F(LiveRunTest, ElsewhereThereAreOnlyLines) {
  controller_.run_log_may_end = nullptr;
  terminal_ = false;
  EXPECT_EQ(RunCommand({"run", "procedure/nightly", "--wait"}).out,
            "run/4k2m9x7q1a\nDeploy deployment/one: done\n");
  terminal_ = true;
  variables_["TERM"] = "dumb";
  EXPECT_EQ(RunCommand({"build", "api", "--wait"}).out,
            "run/4k2m9x7q1a\nDeploy deployment/one: done\n");
}

TEST_F(LiveRunTest, AnOlderControllerIsFollowedWithoutRunLog) {
  controller_.run_log.clear();
  controller_.run_changes.clear();
  v1::Run run = RunOf(v1::RUN_STATE_SUCCEEDED);
  Say("one", run);
  Change(run);
  const Outcome outcome = RunCommand({"run", "procedure/nightly", "--wait"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "run/4k2m9x7q1a\none\n");
}

TEST_F(RunTest, DescribesARunByStageAndExecution) {
  v1::Run run = RunOf(v1::RUN_STATE_FAILED);
  run.set_message("stage \"restart\": engine on fire");
  run.mutable_stages(0)->mutable_executions(0)->set_attempts(3);
  *controller_.runs.add_runs() = run;
  EXPECT_THAT(RunCommand({"describe", "run/4k2m9x7q1a"}).out,
              AllOf(HasSubstr("run/4k2m9x7q1a of procedure/nightly   failed"),
                    HasSubstr("stage restart"), HasSubstr("RestartDeployment deployment/web"),
                    HasSubstr("attempt 3"), HasSubstr("engine on fire")));
}

TEST_F(RunTest, ShowsSchedulesWithTheirNextTimes) {
  auto& schedule = *controller_.schedules.add_schedules();
  schedule.set_resource("procedure/nightly");
  schedule.set_schedule("Every day at 03:00");
  schedule.set_timezone("Europe/Berlin");
  schedule.set_enabled(true);
  schedule.add_next()->set_seconds(1'700'000'000);
  auto& other = *controller_.schedules.add_schedules();
  other.set_resource("procedure/off");
  const Outcome outcome = RunCommand({"get", "schedule"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("procedure/nightly"), HasSubstr("Every day at 03:00"),
                                 HasSubstr("Europe/Berlin"), HasSubstr("never"),
                                 HasSubstr("disabled"), HasSubstr("2023-11-1")));
  RunCommand({"get", "schedule", "procedure/nightly", "-o", "json"});
  EXPECT_EQ(controller_.schedules_request.resource(), "procedure/nightly");
}

}  // namespace
}  // namespace fairlead::cli
