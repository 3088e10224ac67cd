#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "cli/completion_scripts.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kServer[] = "[[server]]\nname = \"edge\"\n\n";

std::string Deployment(const std::string& name, const std::string& after = "",
                       const std::string& more = "") {
  return absl::StrCat("[[deployment]]\nname = \"", name, "\"\nafter = [", after,
                      "]\n[deployment.config]\nserver = \"edge\"\nimage = \"nginx:1\"\n", more,
                      "\n");
}

class ValidateTest : public CommandTest {
 protected:
  ValidateTest() { controller_.Shutdown(); }
  Outcome Validate(const std::string& content) {
    return RunCommand({"validate", Write("a.toml", content)});
  }
};

TEST_F(ValidateTest, CleanFilesAreQuietAndNeedNoController) {
  const Outcome outcome = Validate(absl::StrCat(kServer, Deployment("web")));
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.out, "1 file, 2 resources: 0 errors, 0 warnings\n");
}

TEST_F(ValidateTest, ErrorsPrintLikeACompiler) {
  const Outcome outcome =
      Validate(absl::StrCat(kServer, Deployment("web", "", "enviroment = \"A=b\"\n")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("a.toml:10:1: error: "), HasSubstr("[unknown-key]"),
                    HasSubstr("enviroment = \"A=b\""), HasSubstr("^"),
                    HasSubstr("did you mean \"environment\"?"), HasSubstr("1 error, 0 warnings")));
}

TEST_F(ValidateTest, DuplicateNamesBothPlaces) {
  const Outcome outcome = Validate(absl::StrCat(kServer, Deployment("web"), Deployment("web")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("a.toml:11:1: error: deployment/web is declared already"),
                    HasSubstr("a.toml:4 [duplicate]")));
}

TEST_F(ValidateTest, DuplicateInAnotherFileIsFoundToo) {
  Write("d/a.toml", absl::StrCat(kServer, Deployment("web")));
  Write("d/b.toml", Deployment("web"));
  const Outcome outcome = RunCommand({"validate", folder_ + "/d"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("d/b.toml:1:1: error"), HasSubstr("d/a.toml:4")));
}

TEST_F(ValidateTest, ProceduresThatRunEachOtherAndWhatIsNotActedOnAreNamed) {
  const auto procedure = [](const std::string& name, const std::string& execution) {
    return absl::StrCat("[[procedure]]\nname = \"", name,
                        "\"\n[[procedure.config.stage]]\nname = \"one\"\nexecutions = [{ ",
                        "execution = { type = ", execution, " } }]\n");
  };
  const Outcome outcome =
      Validate(absl::StrCat(procedure("a", "\"RunProcedure\", params = { procedure = \"b\" }"),
                            procedure("b", "\"RunProcedure\", params = { procedure = \"a\" }"),
                            procedure("c", "\"ClearRepoCache\"")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("runs itself: procedure/a -> procedure/b -> procedure/a [cycle]"),
                    HasSubstr("warning: stage \"one\": ClearRepoCache is not carried out: "),
                    HasSubstr("fetch now with RunSync"), HasSubstr("1 error, 1 warning")));
}

TEST_F(ValidateTest, UnresolvedReferenceIsAWarning) {
  const Outcome outcome = Validate(absl::StrCat(kServer, Deployment("web", "\"db\"")));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("warning: after names \"db\""), HasSubstr("0 errors, 1 warning")));
}

TEST_F(ValidateTest, StrictMakesUnresolvedReferencesErrorsAndNothingElse) {
  const std::string path =
      Write("a.toml", absl::StrCat(kServer, Deployment("web", "\"db\"", "some_future_key = 1\n")));
  EXPECT_EQ(RunCommand({"validate", "--dialect", "komodo", path}).code, 0);
  const Outcome outcome = RunCommand({"validate", "--dialect", "komodo", "--strict", path});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("error: after names \"db\""), HasSubstr("warning: unknown key"),
                    HasSubstr("1 error, 1 warning")));
}

TEST_F(ValidateTest, OneMistakeIsSaidOnce) {
  // What the spoilt deployment would publish, and that "other" waits for it, is no news.
  const Outcome outcome =
      Validate(absl::StrCat(kServer, Deployment("web", "", "ports = \"80:80\"\nreplicas = true\n"),
                            Deployment("other", "\"web\"", "ports = \"80:80\"\n")));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("[wrong-type]"), HasSubstr("1 error, 0 warnings")));
}

TEST_F(ValidateTest, TwoDeploymentsThatPublishOnePortNameBothPlaces) {
  const Outcome outcome =
      Validate(absl::StrCat(kServer, Deployment("web", "", "ports = \"80:8080\"\n"),
                            Deployment("other", "", "ports = \"80:80\"\n")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("publishes port 80/tcp on edge, as does "
                                           "deployment/other at "),
                                 HasSubstr("a.toml:12 [port-conflict]"), HasSubstr("1 error,")));
}

TEST_F(ValidateTest, PortsBehindAPlaceholderAreLeftAlone) {
  const std::string variable = "[[variable]]\nname = \"PORT\"\nvalue = \"80\"\n";
  const std::string two = absl::StrCat(kServer, Deployment("web", "", "ports = \"[[PORT]]:80\"\n"),
                                       Deployment("other", "", "ports = \"80:80\"\n"));
  const Outcome unknown = Validate(two);
  EXPECT_EQ(unknown.code, 0);
  EXPECT_THAT(unknown.out, HasSubstr("[unresolved-placeholder]"));
  EXPECT_THAT(Validate(absl::StrCat(variable, two)).out, HasSubstr("[port-conflict]"));
}

TEST_F(ValidateTest, NameThatTheEngineRefusesIsAnError) {
  const Outcome outcome = Validate(absl::StrCat(kServer, Deployment("w")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("a.toml:4:1: error: no container can be named after \"w\""),
                    HasSubstr("suggestion: set custom_name")));
}

TEST_F(ValidateTest, ValueThatNoContainerCanBeMadeOfIsAnError) {
  const Outcome outcome =
      Validate(absl::StrCat(kServer, Deployment("web", "", "ports = \"80:http\"\n")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\"http\" is not a port"), HasSubstr("[invalid-value]")));
}

TEST_F(ValidateTest, AFlagThatTheEngineDoesNotKnowIsAnErrorThatNamesIt) {
  const Outcome outcome =
      Validate(absl::StrCat(kServer, Deployment("web", "", "extra_args = [\"--memroy=1g\"]\n"),
                            Deployment("edge", "", "extra_args = [\"-p 80:80\"]\n"),
                            Deployment("other", "", "ports = \"80:8080\"\n")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("extra_args: \"--memroy\" is no flag of docker run"),
                                 HasSubstr("did you mean \"--memory\"?"),
                                 HasSubstr("[port-conflict]"), HasSubstr("2 errors,")));
}

TEST_F(ValidateTest, AWrapperWithoutTheCommandIsAnError) {
  const auto stack = [](const std::string& wrapper) {
    return absl::StrCat(kServer,
                        "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"edge\"\n"
                        "file_contents = \"services: {}\"\ncompose_cmd_wrapper = \"",
                        wrapper, "\"\n");
  };
  EXPECT_THAT(Validate(stack("sops exec-env x compose")).out,
              HasSubstr("compose_cmd_wrapper does not hold [[COMPOSE_COMMAND]]"));
  EXPECT_EQ(Validate(stack("sops exec-env x '[[COMPOSE_COMMAND]]'")).code, 0);
}

TEST_F(ValidateTest, AReplacementThatCannotStartFirstIsAnError) {
  const std::string start_first = "strategy = \"start_first\"\n";
  const Outcome outcome = Validate(absl::StrCat(
      kServer, Deployment("web", "", absl::StrCat(start_first, "network = \"apps\"\n")),
      Deployment("edge", "", start_first)));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("start_first: in docker's default network"),
                                 HasSubstr("[start-first]"), HasSubstr("1 error,")));
}

TEST_F(ValidateTest, SecretLinesAreNotShown) {
  const Outcome outcome =
      Validate("[[variable]]\nname = \"A\"\nis_secret = true\nvalue = { hidden = \"geheim\" }\n");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("a.toml:4:9: error"), Not(HasSubstr("geheim"))));
}

TEST_F(ValidateTest, ControlCharactersDoNotReachTheTerminal) {
  const Outcome outcome = Validate("[[stack]]\nname = \"a\"\n\"\\u001b[31m\" = 1 # \x1b[0m\n");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
}

TEST_F(ValidateTest, ManyProblemsOfAFileAreCountedNotListed) {
  std::string content(kServer);
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&content, Deployment("web"));
  const Outcome outcome = Validate(content);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("a.toml: error: and 899 more in this file"),
                                 HasSubstr("1 file, 2 resources: 999 errors, 0 warnings")));
}

TEST_F(ValidateTest, CycleIsAnErrorWithItsPath) {
  const Outcome outcome = Validate(
      absl::StrCat(kServer, Deployment("aa", "\"bb\""), Deployment("bb", "\"deployment/aa\"")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("deployment/aa -> deployment/bb -> deployment/aa"));
}

TEST_F(ValidateTest, SameContainerNameOnOneServerIsAnError) {
  const Outcome outcome = Validate(
      absl::StrCat(kServer, Deployment("web"), Deployment("other", "", "custom_name = \"web\"\n")));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("[name-conflict]"), HasSubstr("deployment/web")));
}

TEST_F(ValidateTest, DialectDecidesAboutUnknownKeys) {
  const std::string path =
      Write("a.toml", absl::StrCat(kServer, Deployment("web", "", "some_future_key = 1\n")));
  EXPECT_EQ(RunCommand({"validate", path}).code, 1);
  EXPECT_EQ(RunCommand({"validate", path, "--dialect", "komodo"}).code, 0);
}

TEST_F(ValidateTest, PathThatIsNotThereAndFolderWithoutFiles) {
  EXPECT_THAT(RunCommand({"validate", "/no/such"}).err, HasSubstr("\"/no/such\" is not there"));
  EXPECT_THAT(RunCommand({"validate", folder_}).err, HasSubstr("no .toml file"));
  EXPECT_EQ(RunCommand({"validate"}).code, 1);
}

class CompletionTest : public CommandTest {};

TEST_F(CompletionTest, ScriptsNameEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = RunCommand({"completion", shell});
    EXPECT_EQ(outcome.code, 0);
    for (const std::string& name : CommandNames()) {
      EXPECT_THAT(outcome.out, HasSubstr(name)) << shell;
    }
  }
  EXPECT_EQ(RunCommand({"completion", "tcsh"}).code, 1);
}

// What bash offers for a line; `fairlead` is a function that answers as the client does.
std::string Complete(const std::string& words, int current) {
  const std::string script = absl::StrCat(
      "fairlead() { case \"$1 $2${3:+ $3}\" in '__complete kinds') printf "
      "'deployment\\nstack\\n';; "
      "'__complete names deployment') printf 'web\\nworker\\n';; "
      "'__complete names resource_sync') echo main;; esac; }\n",
      CompletionScript("bash"), "\nCOMP_WORDS=(", words, "); COMP_CWORD=", current,
      "; _fairlead; printf '%s ' \"${COMPREPLY[@]}\"");
  const auto result = base::RunSubprocess({.argv = {"bash", "-c", script}});
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? absl::StrCat(result->out, result->err) : "";
}

TEST_F(CompletionTest, BashCompletesCommandsKindsAndNames) {
  EXPECT_EQ(Complete("fairlead sta", 1), "status start ");
  EXPECT_EQ(Complete("fairlead describe dep", 2), "deployment/ ");
  EXPECT_EQ(Complete("fairlead describe deployment/w", 2), "deployment/web deployment/worker ");
  EXPECT_EQ(Complete("fairlead --controller x describe deployment we", 5), "web ");
  EXPECT_EQ(Complete("fairlead plan ''", 2), "main ");
}

TEST_F(CompletionTest, NamesComeFromTheControllerAndNothingWithoutIt) {
  controller_.resources.add_resources()->mutable_status()->set_resource("deployment/web");
  EXPECT_EQ(RunCommand({"__complete", "names", "deployment"}).out, "web\n");
  EXPECT_THAT(RunCommand({"__complete", "kinds"}).out, HasSubstr("deployment\nstack\n"));
  controller_.Shutdown();
  const Outcome outcome = RunCommand({"__complete", "names", "deployment"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST(CliDocumentationTest, PageNamesEveryCommandAndExitCode) {
  const auto page = base::ReadFile(FAIRLEAD_SOURCE_DIR "/docs/cli.md");
  ASSERT_TRUE(page.ok()) << page.status();
  for (const std::string& name : CommandNames()) {
    EXPECT_THAT(*page, HasSubstr(absl::StrCat("`fairlead ", name))) << name;
  }
  for (const char* code : {"| 0 |", "| 1 |", "| 2 |", "| 3 |"}) EXPECT_THAT(*page, HasSubstr(code));
}

}  // namespace
}  // namespace fairlead::cli
