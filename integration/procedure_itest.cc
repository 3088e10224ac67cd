// Procedures on a real engine: stages, a controller killed in the middle, cancel, schedules.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// As PID 1 it ignores SIGTERM: to restart it takes all its time to stop.
std::string Stubborn(absl::string_view name, int seconds) {
  return absl::StrCat("[[deployment]]\nname = \"", name,
                      "\"\n[deployment.config]\nserver = \"host-1\"\n",
                      "image = \"fl/app:1\"\ncommand = \"sh -c 'touch /tmp/ready; sleep 1000'\"\n",
                      "min_ready = \"300ms\"\ntermination_timeout = ", seconds, "\n");
}

std::string Stage(absl::string_view name, absl::string_view type, absl::string_view params) {
  return absl::StrCat("[[procedure.config.stage]]\nname = \"", name,
                      "\"\nexecutions = [{ execution = { type = \"", type, "\", params = { ",
                      params, " } } }]\n");
}

class ProcedureTest : public testing::Test {
 protected:
  void Begin(const std::string& toml) {
    ASSERT_OK(fleet_.Start());
    ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("all.toml", toml)));
  }
  // "run/ID" of a new run.
  std::string Run(const std::string& resource) {
    const CommandResult result = fleet_.Cli({"run", resource});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return std::string(*absl::StrSplit(result.out, ' ').begin());
  }
  std::string Story(const std::string& run) const { return fleet_.Cli({"describe", run}).out; }
  bool IsIn(const std::string& run, absl::string_view state) const {
    return absl::StrContains(*absl::StrSplit(Story(run), '\n').begin(),
                             absl::StrCat("   ", state, " "));
  }
  absl::Status WaitState(const std::string& run, const std::string& state) const {
    return WaitFor(absl::StrCat(run, " to be ", state), [&] { return IsIn(run, state); });
  }
  std::string StartedAt(const std::string& container) const {
    return fleet_.engine().Docker({"inspect", "--format", "{{.State.StartedAt}}", container});
  }
  // How often the container was started since then.
  std::size_t Starts(const std::string& container, const std::string& since) const {
    const std::string text = fleet_.engine().Docker(
        {"events", "--since", since, "--until", "0s", "--filter", "event=start", "--filter",
         absl::StrCat("container=", container), "--format", "{{.Actor.ID}}"});
    return text.empty() ? 0 : std::vector<std::string>(absl::StrSplit(text, '\n')).size();
  }

  MiniFleet fleet_;
};

TEST_F(ProcedureTest, StagesGoOnAfterTheControllerIsKilledAndNothingIsRestartedTwice) {
  ASSERT_NO_FATAL_FAILURE(Begin(absl::StrCat(
      Stubborn("web", 3), Stubborn("db", 1), ToToml({.name = "extra", .head = "deploy = false\n"}),
      "[[procedure]]\nname = \"roll\"\n", Stage("web", "RestartDeployment", "deployment = \"web\""),
      Stage("db", "RestartDeployment", "deployment = \"db\""),
      Stage("extra", "BatchDeploy", "pattern = \"extr*\""))));
  const std::string web = StartedAt("web");
  const std::string db = StartedAt("db");
  const std::string since = fleet_.engine().Docker({"info", "--format", "{{.SystemTime}}"});
  EXPECT_EQ(fleet_.engine().IdOf("extra"), "");

  const std::string run = Run("procedure/roll");
  ASSERT_OK(WaitFor("the restart to be dispatched", [&] {
    const auto object = MiniFleet::AsObject(fleet_.CliJson({"describe", run}));
    const auto& stage = object.at("stages").at(0).as_object();
    return !stage.at("executions").at(0).at("action_id").as_string().empty();
  }));
  fleet_.controller().Kill();
  ASSERT_OK(fleet_.StartController());
  ASSERT_OK(WaitState(run, "succeeded"));

  EXPECT_NE(StartedAt("web"), web);
  EXPECT_NE(StartedAt("db"), db);
  // Docker tells events of whole seconds only.
  EXPECT_OK(WaitFor("the start of db to be told", [&] { return Starts("db", since) > 0; }));
  EXPECT_EQ(Starts("web", since), 1u);
  EXPECT_EQ(Starts("db", since), 1u);
  EXPECT_NE(fleet_.engine().IdOf("extra"), "");
  EXPECT_THAT(fleet_.Cli({"logs", run}).out,
              AllOf(HasSubstr("RestartDeployment deployment/web: done in"),
                    HasSubstr("stage \"extra\" is done"), HasSubstr("succeeded")));
  EXPECT_THAT(fleet_.Cli({"runs"}).out, HasSubstr(run));
}

TEST_F(ProcedureTest, ACancelledRunEndsAtOnceWithTheActionItCaused) {
  ASSERT_NO_FATAL_FAILURE(Begin(
      absl::StrCat(Stubborn("web", 60), ToToml({.name = "db"}), "[[procedure]]\nname = \"roll\"\n",
                   Stage("web", "RestartDeployment", "deployment = \"web\""),
                   Stage("db", "RestartDeployment", "deployment = \"db\""))));
  const std::string db = StartedAt("db");
  const std::string run = Run("procedure/roll");
  ASSERT_OK(WaitFor("the restart to begin", [&] {
    return absl::StrContains(fleet_.Cli({"events", "deployment/web"}).out, "restarted");
  }));
  EXPECT_EQ(fleet_.Cli({"cancel", run, "--why", "wrong one"}).exit_code, 0);
  EXPECT_TRUE(IsIn(run, "cancelled")) << Story(run);
  EXPECT_THAT(Story(run), HasSubstr("wrong one"));
  // Long before its 60 s are over.
  ASSERT_OK(WaitFor("the restart to be ended", [&] {
    return absl::StrContains(fleet_.Cli({"events", "deployment/web"}).out, "cancelled by");
  }));
  EXPECT_EQ(StartedAt("db"), db);
  EXPECT_EQ(fleet_.Cli({"cancel", run}).exit_code, 1);
}

TEST_F(ProcedureTest, RunsByItsScheduleAndSaysWhatCannotBeRun) {
  ASSERT_NO_FATAL_FAILURE(Begin(absl::StrCat(
      ToToml({.name = "web"}),
      "[[procedure]]\nname = \"often\"\n[procedure.config]\nschedule_format = \"Cron\"\n"
      "schedule = \"*/2 * * * * *\"\nschedule_timezone = \"UTC\"\n",
      Stage("sync", "RunSync", "sync = \"main\""), Stage("web", "Deploy", "deployment = \"web\""),
      "[[procedure]]\nname = \"prune\"\n", Stage("all", "ClearRepoCache", ""))));
  ASSERT_OK(WaitFor("a run by the schedule", [&] {
    return absl::StrContains(fleet_.Cli({"runs", "procedure/often"}).out, "succeeded");
  }));
  EXPECT_THAT(fleet_.Cli({"runs", "procedure/often"}).out, HasSubstr("its schedule"));
  EXPECT_THAT(fleet_.Cli({"get", "schedule"}).out,
              AllOf(HasSubstr("procedure/often"), HasSubstr("*/2 * * * * *"), HasSubstr(":")));

  EXPECT_EQ(fleet_.Cli({"run", "resource_sync/main", "--wait"}).exit_code, 0);
  const CommandResult refused = fleet_.Cli({"run", "procedure/prune", "--wait"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.out, HasSubstr("ClearRepoCache is not carried out: "));
  EXPECT_THAT(fleet_.Story("procedure/prune"), HasSubstr("ClearRepoCache is not carried out: "));

  fleet_.PushFile("bad.toml", absl::StrCat("[[procedure]]\nname = \"bad\"\n",
                                           Stage("one", "Deploy", "deployment = \"nowhere\"")));
  ASSERT_OK(fleet_.WaitStory("procedure/bad", "which is declared nowhere"));
  EXPECT_THAT(fleet_.Cli({"run", "procedure/bad"}).err, HasSubstr("is invalid"));
}

}  // namespace
}  // namespace fairlead::integration
