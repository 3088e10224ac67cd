// Repositories that the agent keeps on its host: real git, over files, http and ssh.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/agent/agent_host.h"
#include "integration/testing/git_repository.h"
#include "integration/testing/git_server.h"
#include "integration/testing/http.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class CheckoutTest : public ::testing::Test {
 protected:
  static void Push(const GitRepository& repository, const std::string& path,
                   const std::string& text) {
    repository.Write(path, text);
    repository.Commit(absl::StrCat("write ", path));
    repository.Push();
  }
  v1::Action ActionFor(const std::string& url, const std::string& directory = "site") const {
    v1::Action action;
    action.set_resource("repo/" + directory);
    v1::CheckOutRepo& request = *action.mutable_check_out_repo();
    request.mutable_source()->set_url(url);
    request.mutable_source()->set_branch("main");
    request.set_directory(directory);
    return action;
  }
  std::string ReadSite(const std::string& path) const {
    return base::ReadFile(absl::StrCat(host_.data(), "/repos/site/", path)).value_or("(none)");
  }
  // Nothing of a login stays behind.
  void ExpectNowhere(const std::string& secret) const {
    for (const std::string& path : host_.PathsBelow(host_.data())) {
      const auto text = base::ReadFile(host_.data() + path);
      EXPECT_THAT(text.value_or(""), Not(HasSubstr(secret))) << path;
    }
  }
  void ExpectFailure(const v1::ActionOutcome& outcome, absl::StatusCode code,
                     const std::string& says) const {
    EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
    EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), code) << outcome.message();
    EXPECT_THAT(outcome.message(), HasSubstr(says));
    EXPECT_FALSE(fs::exists(host_.data() + "/repos/site"));
    EXPECT_FALSE(fs::exists(host_.data() + "/repos/site.fairlead-new"));
    EXPECT_THAT(host_.PathsBelow(host_.data() + "/private"), IsEmpty());
  }

  AgentHost host_;
};

TEST_F(CheckoutTest, ClonesThenPulls) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "index.html", "one");
  v1::Action action = ActionFor(repository.url());
  v1::CheckOutRepo& request = *action.mutable_check_out_repo();
  request.set_environment("TOKEN=x\n");
  request.mutable_on_clone()->set_script("echo clone >> ../hooks; . ./.env; echo token is $TOKEN");
  request.mutable_on_pull()->set_script("echo pull >> ../hooks");
  v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_TRUE(outcome.check_out().cloned());
  EXPECT_THAT(outcome.check_out().commit(), SizeIs(40));
  EXPECT_EQ(outcome.check_out().subject(), "write index.html");
  EXPECT_EQ(outcome.check_out().directory(), host_.data() + "/repos/site");
  EXPECT_THAT(host_.Output(), HasSubstr("token is x"));

  Push(repository, "index.html", "two");
  AgentHost::WriteFile(host_.data() + "/repos/site/stray", "x");
  AgentHost::WriteFile(host_.data() + "/repos/site/index.html", "changed by hand");
  outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_FALSE(outcome.check_out().cloned());
  EXPECT_TRUE(outcome.check_out().changed());
  EXPECT_EQ(ReadSite("index.html"), "two");
  EXPECT_EQ(ReadSite("stray"), "x") << "it is a person's";
  EXPECT_EQ(ReadSite(".env"), "TOKEN=x\n");
  EXPECT_EQ(ReadSite("../hooks"), "clone\npull\n");

  outcome = host_.Run(action);
  EXPECT_FALSE(outcome.check_out().changed());
  action.mutable_check_out_repo()->set_anew(true);
  EXPECT_TRUE(host_.Run(action).check_out().cloned());
  EXPECT_EQ(ReadSite("../hooks"), "clone\npull\npull\nclone\n");
}

TEST_F(CheckoutTest, APullLeavesWhatGitDoesNotKnowAndNamesWhatIsInItsWay) {
  const GitRepository repository(host_.Folder("git"));
  repository.Write(".gitignore", "/cache/\n/local.conf\n");
  repository.Write("old", "1");
  Push(repository, "index.html", "one");
  v1::Action action = ActionFor(repository.url());
  action.mutable_check_out_repo()->mutable_on_clone()->set_script(
      "mkdir -p cache/deep out && echo c > cache/deep/c && echo o > out/o && echo l > local.conf");
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << host_.Output();
  repository.Remove("old");
  Push(repository, "out/tracked", "two");
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << host_.Output();
  EXPECT_EQ(ReadSite("cache/deep/c"), "c\n");
  EXPECT_EQ(ReadSite("out/o"), "o\n");
  EXPECT_EQ(ReadSite("local.conf"), "l\n");
  EXPECT_EQ(ReadSite("out/tracked"), "two");
  EXPECT_EQ(ReadSite("old"), "(none)") << "it was git's";

  repository.Write("local.conf", "git's");
  MustRun({"git", "-C", repository.work(), "add", "--force", "local.conf"});
  Push(repository, "index.html", "three");
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(outcome.message(), AllOf(HasSubstr("/repos/site: local.conf is not of git"),
                                       HasSubstr("move or remove")));
  EXPECT_EQ(ReadSite("local.conf"), "l\n");
  EXPECT_EQ(ReadSite("index.html"), "one") << "nothing was changed";

  // As an update leaves it that was killed after it looked.
  const std::string commit = MustRun({"git", "-C", repository.work(), "rev-parse", "HEAD"});
  AgentHost::WriteFile(host_.data() + "/repos/site/.git/fairlead-updating", commit.substr(0, 40));
  AgentHost::WriteFile(host_.data() + "/repos/site/local.conf", "gi");
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << host_.Output();
  EXPECT_EQ(ReadSite("local.conf"), "git's");
  EXPECT_EQ(ReadSite("index.html"), "three");
  EXPECT_FALSE(fs::exists(host_.data() + "/repos/site/.git/fairlead-updating"));
}

TEST_F(CheckoutTest, ManyCheckoutsShareOneMirrorAndStayAtTheirCommits) {
  const GitRepository repository(host_.Folder("git"));
  repository.Write("a", "one");
  const std::string first = repository.Commit("one");
  repository.Push();
  Push(repository, "a", "two");
  v1::Action pinned = ActionFor(repository.url(), "pinned");
  pinned.mutable_check_out_repo()->mutable_source()->set_commit(first);
  ASSERT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
  ASSERT_EQ(host_.Run(pinned).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(ReadSite("a"), "two");
  EXPECT_EQ(ReadSite("../pinned/a"), "one");
  std::size_t mirrors = 0;
  for (const auto& entry : fs::directory_iterator(host_.data() + "/mirrors")) {
    mirrors += entry.is_directory() ? 1 : 0;
  }
  EXPECT_EQ(mirrors, 1u);
  // What is known already needs no server.
  repository.Hide();
  EXPECT_EQ(host_.Run(pinned).status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(CheckoutTest, FollowsARewrittenBranch) {
  const GitRepository repository(host_.Folder("git"));
  repository.Write("a", "one");
  const std::string first = repository.Commit("one");
  Push(repository, "a", "two");
  ASSERT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
  repository.ResetTo(first);
  repository.Write("b", "three");
  repository.Commit("three");
  repository.Push(/*force=*/true);
  ASSERT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(ReadSite("a"), "one");
  EXPECT_EQ(ReadSite("b"), "three");
}

TEST_F(CheckoutTest, LogsInByHttpAndLeavesNoTrace) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  const GitHttpServer server(repository.directory(), "me:hunter2-token");
  v1::Action action = ActionFor(server.url());
  ExpectFailure(host_.Run(action), absl::StatusCode::kFailedPrecondition, "refuses the login");
  v1::Login& login = *action.mutable_check_out_repo()->mutable_source()->mutable_login();
  login.set_domain(server.authority());
  login.set_username("me");
  login.set_secret("wrong-token");
  ExpectFailure(host_.Run(action), absl::StatusCode::kFailedPrecondition, "refuses the login");
  login.set_secret("hunter2-token");
  action.add_secrets("hunter2-token");
  action.mutable_check_out_repo()->mutable_on_clone()->set_script(
      "echo now; sleep 0.5; git config -l");
  host_.WatchArguments();
  const v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_TRUE(absl::StrContains(host_.arguments_seen(), "/bin/sh -c"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "hunter2"));
  ExpectNowhere("hunter2");

  // In the url itself.
  v1::Action other = ActionFor(
      absl::StrCat("http://me:hunter2-token@", server.authority(), "/origin.git"), "other");
  EXPECT_EQ(host_.Run(other).status(), v1::ACTION_STATUS_SUCCEEDED);
  ExpectNowhere("hunter2");
}

TEST_F(CheckoutTest, LogsInBySsh) {
  if (const std::string why = GitSshServer::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  const GitSshServer server(host_.Folder("ssh"));
  v1::Action action = ActionFor(server.UrlOf(repository.directory() + "/origin.git"));
  v1::GitSource& source = *action.mutable_check_out_repo()->mutable_source();
  source.set_ssh_key(server.ClientKey());
  source.set_known_hosts("# nobody");
  ExpectFailure(host_.Run(action), absl::StatusCode::kFailedPrecondition, "known_hosts");
  source.set_known_hosts(server.KnownHosts());
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED) << host_.Output();
  EXPECT_EQ(ReadSite("a"), "one");
  ExpectNowhere("PRIVATE KEY");

  const GitSshServer stranger(host_.Folder("stranger"));
  action = ActionFor(server.UrlOf(repository.directory() + "/origin.git"), "other");
  action.mutable_check_out_repo()->mutable_source()->set_known_hosts(server.KnownHosts());
  action.mutable_check_out_repo()->mutable_source()->set_ssh_key(stranger.ClientKey());
  const v1::ActionOutcome refused = host_.Run(action);
  EXPECT_THAT(refused.message(), HasSubstr("refuses the login"));
}

TEST_F(CheckoutTest, BringsSubmodulesAndNamesOneThatIsGone) {
  const GitRepository library(host_.Folder("library"));
  Push(library, "lib.c", "int one;");
  const GitRepository repository(host_.Folder("git"));
  MustRun({"git", "-C", repository.work(), "-c", "protocol.file.allow=always", "submodule",
           "--quiet", "add", library.url(), "vendor/lib"});
  repository.Commit("submodule");
  repository.Push();
  ASSERT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(ReadSite("vendor/lib/lib.c"), "int one;");

  library.Hide();
  const v1::ActionOutcome outcome = host_.Run(ActionFor(repository.url(), "other"));
  EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), absl::StatusCode::kNotFound);
  EXPECT_THAT(outcome.message(), HasSubstr("vendor/lib"));
  EXPECT_FALSE(fs::exists(host_.data() + "/repos/other"));
  EXPECT_FALSE(fs::exists(host_.data() + "/repos/other.fairlead-new"));
}

TEST_F(CheckoutTest, AServerDoesNotLeadToFilesOfTheHost) {
  const GitRepository library(host_.Folder("library"));
  Push(library, "secret", "of the host");
  const GitRepository repository(host_.Folder("git"));
  MustRun({"git", "-C", repository.work(), "-c", "protocol.file.allow=always", "submodule",
           "--quiet", "add", library.url(), "stolen"});
  repository.Commit("submodule");
  repository.Push();
  const GitHttpServer server(repository.directory());
  ExpectFailure(host_.Run(ActionFor(server.url())), absl::StatusCode::kInvalidArgument,
                "file where the url itself says so");
}

TEST_F(CheckoutTest, RefusesFilesInLfsByName) {
  const GitRepository repository(host_.Folder("git"));
  repository.Write("assets/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
  repository.Write("assets/small.bin", "not a pointer");
  Push(repository, "assets/big.bin",
       "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  ExpectFailure(host_.Run(ActionFor(repository.url())), absl::StatusCode::kFailedPrecondition,
                "assets/big.bin is kept in Git LFS");
  repository.Remove("assets/big.bin");
  repository.Commit("without");
  repository.Push();
  EXPECT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(CheckoutTest, SaysWhatIsWrongWithTheSource) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  const GitHttpServer server(repository.directory());
  const auto fails = [&](const v1::Action& action, absl::StatusCode code, const std::string& says) {
    ExpectFailure(host_.Run(action), code, says);
  };
  fails(ActionFor(server.UrlOf("none.git")), absl::StatusCode::kNotFound, "no such repository");
  fails(ActionFor(server.UrlOf("moved/x.git")), absl::StatusCode::kFailedPrecondition, "has moved");
  fails(ActionFor(absl::StrCat("http://127.0.0.1:", FreePort(), "/x.git")),
        absl::StatusCode::kUnavailable, "cannot be reached");
  v1::Action branch = ActionFor(server.url());
  branch.mutable_check_out_repo()->mutable_source()->set_branch("release");
  fails(branch, absl::StatusCode::kNotFound, "there is no branch release");
  v1::Action commit = ActionFor(server.url());
  commit.mutable_check_out_repo()->mutable_source()->set_commit(std::string(40, 'a'));
  fails(commit, absl::StatusCode::kNotFound, "there is no commit aaaa");
  commit.mutable_check_out_repo()->mutable_source()->set_commit("--all");
  fails(commit, absl::StatusCode::kInvalidArgument, "is no commit");
}

TEST_F(CheckoutTest, ASilentServerEndsWithTheDeadline) {
  const SilentServer server;
  v1::Action action = ActionFor(absl::StrCat("http://127.0.0.1:", server.port(), "/x.git"));
  *action.mutable_deadline() = base::ToProto(absl::Seconds(2));
  ExpectFailure(host_.Run(action), absl::StatusCode::kDeadlineExceeded, "not finished");
}

TEST_F(CheckoutTest, LeavesWhatIsNotItsOwn) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  const std::string folder = host_.Folder("data/repos/site");
  AgentHost::WriteFile(folder + "/precious", "x");
  v1::Action action = ActionFor(repository.url());
  for (const bool anew : {false, true}) {
    action.mutable_check_out_repo()->set_anew(anew);
    const v1::ActionOutcome outcome = host_.Run(action);
    EXPECT_THAT(outcome.message(), HasSubstr("no checkout of Fairlead"));
    EXPECT_EQ(ReadSite("precious"), "x");
  }
  ASSERT_EQ(host_.Run(ActionFor(repository.url(), "mine")).status(), v1::ACTION_STATUS_SUCCEEDED);
  v1::Action thief = ActionFor(repository.url(), "mine");
  thief.set_resource("repo/thief");
  EXPECT_THAT(host_.Run(thief).message(), HasSubstr("is the checkout of repo/mine"));
  v1::Action outside = ActionFor(repository.url(), "env");
  outside.mutable_check_out_repo()->set_environment("A=1\n");
  outside.mutable_check_out_repo()->set_env_file_path("../../out.env");
  EXPECT_THAT(host_.Run(outside).message(), HasSubstr("leaves the checkout"));
}

TEST_F(CheckoutTest, ADamagedMirrorIsMadeAnew) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  ASSERT_EQ(host_.Run(ActionFor(repository.url())).status(), v1::ACTION_STATUS_SUCCEEDED);
  for (const auto& entry : fs::directory_iterator(host_.data() + "/mirrors")) {
    // As a power cut leaves it.
    AgentHost::WriteFile(entry.path().string() + "/HEAD", "");
    AgentHost::WriteFile(entry.path().string() + "/config.lock", "");
  }
  Push(repository, "a", "two");
  const v1::ActionOutcome outcome = host_.Run(ActionFor(repository.url()));
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(ReadSite("a"), "two");
  EXPECT_THAT(outcome.warnings(), SizeIs(1));
}

TEST_F(CheckoutTest, AFailedCommandFailsTheCheckoutAndRunsAgainNextTime) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  v1::Action action = ActionFor(repository.url());
  action.mutable_check_out_repo()->mutable_on_clone()->set_script("echo no good; exit 7");
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), AllOf(HasSubstr("on_clone ended with 7"), HasSubstr("no good")));
  action.mutable_check_out_repo()->mutable_on_clone()->set_script("true");
  EXPECT_TRUE(host_.Run(action).check_out().cloned()) << "what follows a clone was never done";
  EXPECT_FALSE(host_.Run(action).check_out().cloned());
}

TEST_F(CheckoutTest, AHangingCommandEndsWithACancel) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  v1::Action action = ActionFor(repository.url());
  action.mutable_check_out_repo()->mutable_on_clone()->set_script("echo hanging; sleep 1000");
  EXPECT_EQ(host_.RunAndCancelAt(action, "hanging").status(), v1::ACTION_STATUS_CANCELLED);
}

TEST_F(CheckoutTest, AKillInACommandIsToldAndNotRepeated) {
  const GitRepository repository(host_.Folder("git"));
  Push(repository, "a", "one");
  v1::Action action = ActionFor(repository.url());
  action.set_id("the-action");
  action.mutable_check_out_repo()->mutable_on_clone()->set_script("echo ran >> ../ran; sleep 60");
  const pid_t child = fork();
  if (child == 0) {
    host_.Run(action);
    _exit(0);
  }
  ASSERT_OK(WaitFor("the command", [&] { return ReadSite("../ran") == "ran\n"; }));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  host_.Restart();
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_INTERRUPTED);
  EXPECT_THAT(outcome.message(), HasSubstr("on_clone was cut by a restart"));
  EXPECT_EQ(ReadSite("../ran"), "ran\n");
  EXPECT_THAT(host_.PathsBelow(host_.data() + "/private"), IsEmpty());
}

}  // namespace
}  // namespace fairlead::integration
