#include "cli/testing/command_test.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "cli/config.h"
#include "cli/testing/screen.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

v1::ResourceView ViewOf(const std::string& resource) {
  v1::ResourceView view;
  view.mutable_status()->set_resource(resource);
  view.mutable_status()->set_condition(v1::CONDITION_CONVERGED);
  return view;
}

v1::GetStatusResponse StatusOf(bool converged, uint64_t generation,
                               const std::string& state = "progressing") {
  v1::GetStatusResponse status;
  status.set_converged(converged);
  status.set_generation(generation);
  v1::SyncStatus& sync = *status.add_syncs();
  sync.set_name("main");
  sync.set_state(converged ? "converged" : state);
  return status;
}

TEST_F(CommandTest, HelpNamesEveryCommandAndTheExitCodes) {
  const Outcome outcome = RunCommand({"--help"});
  EXPECT_EQ(outcome.code, 0);
  for (const std::string& name : CommandNames()) EXPECT_THAT(outcome.out, HasSubstr("  " + name));
  EXPECT_THAT(outcome.out, HasSubstr("2 the plan has changes; 3 not converged"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("__complete")));
  EXPECT_GE(CommandNames().size(), 19u);
}

TEST_F(CommandTest, EveryCommandHasHelp) {
  for (const std::string& name : CommandNames()) {
    const Outcome outcome = RunCommand({name, "--help"});
    EXPECT_EQ(outcome.code, 0) << name;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: fairlead " + name));
    EXPECT_THAT(outcome.out, HasSubstr("Examples:\n  ")) << name;
    EXPECT_THAT(outcome.out, Not(HasSubstr("TEXT ...")));
  }
}

TEST_F(CommandTest, WithoutArgumentsHelpGoesToStandardError) {
  const Outcome outcome = RunCommand({});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("Usage:"));
}

TEST_F(CommandTest, MisspeltCommandGetsASuggestion) {
  const Outcome outcome = RunCommand({"sttaus"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "fairlead: \"sttaus\" is not a command; did you mean \"status\"? See: fairlead "
            "--help\n");
}

TEST_F(CommandTest, UnknownOptionNamesItAndTheHelp) {
  EXPECT_THAT(RunCommand({"plan", "--bogus"}).err,
              AllOf(HasSubstr("--bogus"), HasSubstr("fairlead plan --help")));
}

TEST_F(CommandTest, UnreachableControllerSaysWhereWhyAndTheWayOut) {
  controller_.Shutdown();
  const Outcome outcome = RunCommand({"status"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err,
            absl::StrCat("fairlead: cannot reach the controller at ", controller_.address(),
                         ": connection refused. Is it running? Start one with "
                         "\"fairlead-controller --dev\", or set FAIRLEAD_CONTROLLER.\n"));
}

TEST_F(CommandTest, ControllersOwnUnavailableIsNotMistakenForAMissingController) {
  controller_.error = {grpc::StatusCode::UNAVAILABLE, "the database is busy"};
  EXPECT_EQ(RunCommand({"status"}).err, "fairlead: the database is busy\n");
}

TEST_F(CommandTest, OldControllerIsNamedAsTheReason) {
  controller_.error = {grpc::StatusCode::UNIMPLEMENTED, ""};
  EXPECT_THAT(RunCommand({"status"}).err, HasSubstr("older than this client"));
}

TEST_F(CommandTest, OptionBeatsVariableBeatsFile) {
  variables_.erase("FAIRLEAD_CONTROLLER");
  Write(".config/fairlead/config.toml", "# mine\ncontroller = \"127.0.0.1:1\"  # closed\n");
  EXPECT_THAT(RunCommand({"status"}).err, HasSubstr("127.0.0.1:1:"));
  variables_["FAIRLEAD_CONTROLLER"] = "127.0.0.1:2";
  EXPECT_THAT(RunCommand({"status"}).err, HasSubstr("127.0.0.1:2:"));
  controller_.statuses = {StatusOf(true, 1)};
  EXPECT_EQ(RunCommand({"status", "--controller", controller_.address()}).code, 0);
}

TEST_F(CommandTest, BrokenConfigurationNamesTheLine) {
  Write(".config/fairlead/config.toml", "\ncontroler = \"x\"\n");
  EXPECT_THAT(
      RunCommand({"status"}).err,
      AllOf(HasSubstr("config.toml:2: unknown key \"controler\""), HasSubstr("controller")));
  EXPECT_FALSE(ParseConfig("c", "controller = x").ok());
  EXPECT_FALSE(ParseConfig("c", "controller").ok());
  EXPECT_EQ(ParseConfig("c", "tls_ca = 'a\\b' # c")->at("tls_ca"), "a\\b");
}

TEST_F(CommandTest, CertificateNeedsItsKey) {
  EXPECT_THAT(RunCommand({"--tls-cert", "c.pem", "status"}).err, HasSubstr("--tls-key"));
}

TEST_F(CommandTest, MissingCertificateFileIsNamed) {
  EXPECT_THAT(RunCommand({"--tls-ca", "/no/ca.pem", "status"}).err,
              AllOf(HasSubstr("--tls-ca"), HasSubstr("/no/ca.pem")));
}

TEST_F(CommandTest, StatusExitsByConvergence) {
  controller_.statuses = {StatusOf(true, 1), StatusOf(false, 2)};
  EXPECT_EQ(RunCommand({"status", "main"}).code, 0);
  EXPECT_EQ(controller_.status_request.sync(), "main");
  EXPECT_EQ(RunCommand({"status", "-o", "json"}).code, 3);
}

TEST_F(CommandTest, JsonIsAlwaysUncoloured) {
  controller_.statuses = {StatusOf(true, 4)};
  terminal_ = true;
  EXPECT_THAT(RunCommand({"status"}).out, HasSubstr("\x1b["));
  EXPECT_THAT(RunCommand({"status", "-o", "json"}).out,
              AllOf(HasSubstr("\"generation\": \"4\""), Not(HasSubstr("\x1b["))));
  variables_["NO_COLOR"] = "1";
  EXPECT_THAT(RunCommand({"status"}).out, Not(HasSubstr("\x1b[")));
}

TEST_F(CommandTest, PlanExitsZeroTwoOrOne) {
  EXPECT_EQ(RunCommand({"plan"}).code, 0);
  v1::Plan& plan = *controller_.plan.mutable_plan();
  plan.set_id("p1");
  plan.add_syncs()->set_name("main");
  plan.add_steps()->set_action(v1::STEP_ACTION_CREATE);
  const Outcome changes = RunCommand({"plan", "main", "--revision", "abc"});
  EXPECT_EQ(changes.code, 2);
  EXPECT_THAT(changes.out, HasSubstr("1 to create"));
  EXPECT_EQ(controller_.plan_request.sync(), "main");
  EXPECT_EQ(controller_.plan_request.revision(), "abc");
  plan.mutable_syncs(0)->add_problems()->set_severity(v1::SEVERITY_ERROR);
  EXPECT_EQ(RunCommand({"plan"}).code, 1);
}

TEST_F(CommandTest, PlanOfAWorkingTreeSendsItsFilesAndThoseOfItsStacks) {
  Write("tree/a.toml",
        "[[stack]]\nname = \"x\"\n[stack.config]\nserver = \"s\"\nrun_directory = \"x\"\n"
        "file_paths = [\"c.yaml\", \"../../../etc/passwd\"]\n");
  Write("tree/x/c.yaml", "services: {}\n");
  Write("tree/x/unrelated.bin", "no");
  Write("tree/.git/config.toml", "no = 1");
  EXPECT_EQ(RunCommand({"plan", "--dir", folder_ + "/tree"}).code, 0);
  EXPECT_TRUE(controller_.plan_request.use_files());
  ASSERT_EQ(controller_.plan_request.files_size(), 2);
  EXPECT_EQ(controller_.plan_request.files(0).path(), "a.toml");
  EXPECT_EQ(controller_.plan_request.files(1).path(), "x/c.yaml");
  EXPECT_EQ(controller_.plan_request.files(1).content(), "services: {}\n");
}

TEST_F(CommandTest, PlanRefusesTwoSources) {
  EXPECT_EQ(RunCommand({"plan", "--dir", ".", "--revision", "a"}).code, 1);
}

TEST_F(CommandTest, SyncShowsWhatWasFetched) {
  controller_.sync.add_syncs("main");
  v1::SyncStatus& status = *controller_.sync.add_statuses();
  status.set_name("main");
  status.set_revision("abc");
  status.set_state("progressing");
  const Outcome outcome = RunCommand({"sync", "main", "--plan", "p1", "--allow-delete", "4"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "main @ abc   progressing\n");
  EXPECT_EQ(controller_.sync_request.plan_id(), "p1");
  EXPECT_EQ(controller_.sync_request.allow_delete(), 4u);
}

TEST_F(CommandTest, FailedSyncExitsOneAndSaysWhy) {
  v1::SyncStatus& status = *controller_.sync.add_statuses();
  status.set_name("main");
  status.set_state("failed");
  status.set_reason("no such branch");
  for (const auto& arguments : {std::vector<std::string>{"sync"}, {"sync", "--wait"}}) {
    const Outcome outcome = RunCommand(arguments);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_THAT(outcome.out, HasSubstr("failed: no such branch"));
  }
}

TEST_F(CommandTest, MovedWorldRefusesThePlan) {
  controller_.error = {grpc::StatusCode::FAILED_PRECONDITION, "plan p1 is out of date"};
  const Outcome outcome = RunCommand({"sync", "--plan", "p1"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "fairlead: plan p1 is out of date\n");
}

TEST_F(CommandTest, SyncWaitsForAPassAfterTheFetchAndPrintsEvents) {
  // Converged before and at first after the call: neither counts, the generation is old.
  controller_.statuses = {StatusOf(true, 5), StatusOf(true, 5), StatusOf(false, 6),
                          StatusOf(true, 7)};
  v1::Event old;
  old.set_type("old-news");
  controller_.past = {old};
  for (int i = 0; i < 3; ++i) {
    v1::Event& event = *controller_.later.emplace_back().mutable_event();
    event.set_type("step-started");
    event.set_resource("deployment/web");
    event.set_message("replace");
    *event.mutable_at() = base::ToProto(absl::UnixEpoch() + absl::Hours(1));
  }
  const Outcome outcome = RunCommand({"sync", "main", "--wait"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("1970-01-01 01:00  deployment/web  step-started  replace\n"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("old-news")));
  EXPECT_THAT(outcome.out, ::testing::EndsWith("converged\n"));
}

TEST_F(CommandTest, SyncEndsWhenNothingIsUnderWayAnyMore) {
  v1::GetStatusResponse degraded = StatusOf(false, 6, "degraded");
  v1::ResourceStatus& resource = *degraded.add_not_ok();
  resource.set_resource("stack/a");
  resource.set_condition(v1::CONDITION_DEGRADED);
  controller_.statuses = {StatusOf(true, 5), degraded};
  const Outcome outcome = RunCommand({"sync", "main", "--wait"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("stack/a"), HasSubstr("nothing is under way")));
}

TEST_F(CommandTest, ProgressIsDrawnOnATerminal) {
  v1::GetStatusResponse busy = StatusOf(false, 6);
  v1::ResourceStatus& resource = *busy.add_not_ok();
  resource.set_resource("stack/a");
  resource.set_condition(v1::CONDITION_PROGRESSING);
  resource.set_reason("2 of 3 checks");
  controller_.statuses = {StatusOf(true, 5), busy, StatusOf(true, 7)};
  terminal_ = true;
  variables_["NO_COLOR"] = "1";
  const Outcome outcome = RunCommand({"sync", "--wait"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr(".. stack/a  2 of 3 checks"));
  Screen screen(screen_.width, screen_.height);
  screen.Write(outcome.out);
  EXPECT_THAT(screen.Lines(), ElementsAre(HasSubstr("ok stack/a  converged"), "converged"));
  EXPECT_FALSE(screen.broken());
  // A terminal that knows no control codes gets lines.
  const v1::GetStatusResponse done = StatusOf(true, 7);
  controller_.statuses = {done, done, done, done, busy, StatusOf(true, 8)};
  variables_["TERM"] = "dumb";
  EXPECT_EQ(RunCommand({"sync", "--wait"}).out, "converged\n");
}

TEST_F(CommandTest, ElsewhereAPhaseIsALine) {
  controller_.statuses = {StatusOf(true, 5), StatusOf(false, 6), StatusOf(true, 7)};
  const auto tell = [this](const std::string& phase, const std::string& detail) {
    v1::ActionProgress& progress = *controller_.later.emplace_back().mutable_progress();
    progress.set_action_id("a1");
    progress.set_resource("deployment/web");
    progress.set_phase(phase);
    progress.set_detail(detail);
  };
  tell("pulling", "nginx:1\n3f4fca: 1.0 of 2.0 MB");
  tell("pulling", "nginx:1\n3f4fca: 1.5 of 2.0 MB");
  tell("creating", "web");
  const std::string out = RunCommand({"sync", "main", "--wait"}).out;
  EXPECT_THAT(out, HasSubstr("  deployment/web  pulling  nginx:1\n"));
  EXPECT_THAT(out, HasSubstr("  deployment/web  creating  web\n"));
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3) << out;
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST_F(CommandTest, WaitEndsWithThreeAfterItsTime) {
  controller_.statuses = {StatusOf(false, 1, "degraded")};
  const Outcome outcome = RunCommand({"wait", "--for", "converged", "--timeout", "30ms", "main"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, HasSubstr("not converged after 30 ms"));
}

TEST_F(CommandTest, WaitForOneSyncLooksAtThatOneOnly) {
  v1::GetStatusResponse status = StatusOf(true, 1);
  status.set_converged(false);
  controller_.statuses = {status};
  EXPECT_EQ(RunCommand({"wait", "main"}).code, 0);
  EXPECT_EQ(RunCommand({"wait", "--timeout", "20ms"}).code, 3);
}

TEST_F(CommandTest, GetListsAKindByEitherName) {
  *controller_.resources.add_resources() = ViewOf("deployment/web");
  for (const char* kind : {"deployment", "deployments"}) {
    const Outcome outcome = RunCommand({"get", kind});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("deployment/web   Converged"));
    EXPECT_EQ(controller_.list_request.kind(), "deployment");
  }
  RunCommand({"get", "all"});
  EXPECT_EQ(controller_.list_request.kind(), "");
  EXPECT_THAT(RunCommand({"get", "deploymet"}).err, HasSubstr("did you mean \"deployment\"?"));
}

TEST_F(CommandTest, GetWritesTomlThatValidates) {
  v1::Resource& spec = *controller_.resource.mutable_resource()->mutable_spec();
  spec.set_name("LOG");
  spec.mutable_variable()->set_value("debug");
  const Outcome outcome = RunCommand({"get", "variable", "LOG", "-o", "toml"});
  EXPECT_EQ(controller_.get_request.name(), "LOG");
  EXPECT_THAT(outcome.out, AllOf(StartsWith("[[variable]]"), HasSubstr("debug")));
  EXPECT_EQ(RunCommand({"validate", Write("v.toml", outcome.out)}).code, 0);
}

TEST_F(CommandTest, ResourcesAreNamedInThreeWays) {
  *controller_.resources.add_resources() = ViewOf("deployment/web");
  *controller_.resources.add_resources() = ViewOf("stack/both");
  *controller_.resources.add_resources() = ViewOf("deployment/both");
  *controller_.resource.mutable_resource() = ViewOf("deployment/web");
  for (const auto& words : {std::vector<std::string>{"deployment/web"},
                            {"deployment", "web"},
                            {"deployments/web"},
                            {"web"}}) {
    std::vector<std::string> arguments = {"describe"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    EXPECT_EQ(RunCommand(arguments).code, 0);
    EXPECT_EQ(controller_.get_request.kind(), "deployment");
    EXPECT_EQ(controller_.get_request.name(), "web");
  }
  EXPECT_THAT(RunCommand({"describe", "both"}).err, HasSubstr("stack/both, deployment/both"));
  EXPECT_THAT(RunCommand({"describe", "wbe"}).err, HasSubstr("did you mean \"web\"?"));
  EXPECT_THAT(RunCommand({"describe", "foo/web"}).err, HasSubstr("not a kind of resource"));
}

TEST_F(CommandTest, ExecutionsCarryResourceAndReason) {
  controller_.execution.set_message("done");
  for (const char* verb : {"start", "restart", "release", "retry"}) {
    const Outcome outcome = RunCommand({verb, "deployment/web", "--why", "because"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "done\n");
    EXPECT_EQ(controller_.execution_request.resource(), "deployment/web");
    EXPECT_EQ(controller_.execution_request.why(), "because");
  }
  EXPECT_EQ(RunCommand({"stop", "stack", "a", "--for", "2h", "--why", "swap"}).code, 0);
  EXPECT_EQ(controller_.stop_request.resource(), "stack/a");
  EXPECT_EQ(controller_.stop_request.expires_in().seconds(), 7200);
  EXPECT_THAT(controller_.executed, ElementsAre("Start", "Restart", "Release", "Retry", "Stop"));
  EXPECT_EQ(RunCommand({"stop", "stack/a"}).code, 0);
  EXPECT_FALSE(controller_.stop_request.has_expires_in());
}

TEST_F(CommandTest, SpanThatIsNoneIsRefusedBeforeAnythingIsSent) {
  for (const char* span : {"soon", "-1h", "0s"}) {
    EXPECT_EQ(RunCommand({"stop", "stack/a", absl::StrCat("--for=", span)}).code, 1);
  }
  EXPECT_THAT(controller_.executed, IsEmpty());
}

TEST_F(CommandTest, RollbackSaysWhereToAndWhy) {
  controller_.execution.set_message("deployment/a goes back to 1111111");
  const Outcome outcome =
      RunCommand({"rollback", "deployment/a", "--to", "1111111", "--why", "slow"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "deployment/a goes back to 1111111\n");
  EXPECT_EQ(controller_.rollback_request.ShortDebugString(),
            "resource: \"deployment/a\" why: \"slow\" revision: \"1111111\"");
}

TEST_F(CommandTest, CancelIsAnExecution) {
  EXPECT_EQ(RunCommand({"cancel", "stack/a"}).code, 0);
  EXPECT_THAT(controller_.executed, ElementsAre("Cancel"));
}

TEST_F(CommandTest, ApprovePrintsWhatMayStart) {
  controller_.approve.add_resources("deployment/a");
  const Outcome outcome = RunCommand({"approve", "8c1d03f2ab91", "--why", "checked"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "approved deployment/a\n");
  EXPECT_EQ(controller_.approve_request.plan_id(), "8c1d03f2ab91");
  EXPECT_EQ(controller_.approve_request.why(), "checked");
}

TEST_F(CommandTest, HistoryShowsWhatIsDeclaredAndWhatRuns) {
  controller_.history.set_wanted_hash("v1:k1:new");
  controller_.history.set_live_hash("v1:k1:old");
  for (const char* hash : {"v1:k1:new", "v1:k1:old"}) {
    v1::SpecRecord& record = *controller_.history.add_records();
    record.set_spec_hash(hash);
    record.set_revision("4f2a91c000000000000000000000000000000000");
    record.mutable_at()->set_seconds(60);
    record.set_outcome(v1::SpecRecord::OUTCOME_HEALTHY);
  }
  controller_.history.mutable_records(0)->set_outcome(v1::SpecRecord::OUTCOME_FAILED);
  controller_.history.mutable_records(0)->set_reason("exited with 1");
  EXPECT_EQ(RunCommand({"history", "deployment/a"}).out,
            "WHEN               REVISION   SPEC        OUTCOME   NOW        WHY\n"
            "1970-01-01 00:01   4f2a91c    v1:k1:new   failed    declared   exited with 1\n"
            "1970-01-01 00:01   4f2a91c    v1:k1:old   healthy   runs\n");
  EXPECT_EQ(controller_.history_request.resource(), "deployment/a");
}

TEST_F(CommandTest, ApplyReadsStandardInputAndFolders) {
  input_ = "[[server]]\nname = \"a\"\n";
  controller_.apply.add_applied("server/a");
  Outcome outcome = RunCommand({"apply", "-f", "-"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "applied server/a\n");
  EXPECT_EQ(controller_.apply_request.files(0).content(), input_);
  Write("d/x.toml", "a");
  Write("d/sub/y.toml", "b");
  Write("d/z.txt", "c");
  RunCommand({"apply", "-f", folder_ + "/d", "--dialect", "komodo"});
  EXPECT_EQ(controller_.apply_request.files_size(), 2);
  EXPECT_EQ(controller_.apply_request.dialect(), v1::DIALECT_KOMODO);
}

TEST_F(CommandTest, ApplyPrintsProblemsOfAnAnswerAndOfARefusal) {
  v1::Problem& problem = *controller_.apply.add_problems();
  problem.set_file("a.toml");
  problem.set_line(2);
  problem.set_column(1);
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_message("unknown key \"x\"");
  input_ = "x";
  Outcome outcome = RunCommand({"apply", "-f", "-"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("a.toml:2:1: error: unknown key \"x\""));
  controller_.error = {grpc::StatusCode::INVALID_ARGUMENT, "1 problem",
                       controller_.apply.SerializeAsString()};
  outcome = RunCommand({"apply", "-f", "-"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("a.toml:2:1: error: unknown key \"x\""));
}

TEST_F(CommandTest, LogsNameTheServiceOfAStackOnly) {
  v1::LogLines::Line& line = *controller_.logs.emplace_back().add_lines();
  line.set_source("web-1");
  line.set_text("hello\n");
  EXPECT_EQ(RunCommand({"logs", "stack/a", "--tail", "5", "-f"}).out, "web-1 | hello\n");
  EXPECT_TRUE(controller_.logs_request.follow());
  EXPECT_EQ(controller_.logs_request.tail(), 5);
  EXPECT_EQ(RunCommand({"logs", "deployment/a"}).out, "hello\n");
  EXPECT_THAT(RunCommand({"logs", "deployment/a", "-t"}).out, StartsWith("1970-01-01T00:00:00"));
}

TEST_F(CommandTest, EventsEndAfterThePastOnesWithoutWatch) {
  v1::Event event;
  event.set_type("rolled-back");
  event.set_resource("stack/a");
  controller_.past = {event, event};
  EXPECT_EQ(RunCommand({"events", "stack/a"}).out,
            "never  stack/a  rolled-back\nnever  stack/a  rolled-back\n");
  EXPECT_EQ(controller_.watch_request.resource(), "stack/a");
  const Outcome json = RunCommand({"events", "-o", "json"});
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 2);
  EXPECT_THAT(json.out, StartsWith("{\"id\":"));
}

TEST_F(CommandTest, VersionWorksWithoutAController) {
  v1::GetStatusResponse status;
  status.set_controller_version("9.8.7");
  controller_.statuses = {status};
  EXPECT_EQ(RunCommand({"version"}).out, "fairlead " FAIRLEAD_VERSION "\ncontroller 9.8.7\n");
  EXPECT_THAT(RunCommand({"version", "-o", "json"}).out, HasSubstr("\"controller\": \"9.8.7\""));
  controller_.Shutdown();
  const Outcome outcome = RunCommand({"version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("cannot reach the controller"));
}

}  // namespace
}  // namespace fairlead::cli
