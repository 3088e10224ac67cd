// Images that the agent builds on a real engine.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/agent/agent_host.h"
#include "integration/testing/git_repository.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

class BuildTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Images of earlier tests go, those of the engine stay.
    host_.engine().Docker({"image", "prune", "--force"});
  }
  v1::Action ActionFor(const std::string& tag = "1.0.0") const {
    v1::Action action;
    action.set_resource("build/app");
    v1::BuildImage& request = *action.mutable_build_image();
    request.add_targets()->set_repository("itest/app");
    request.add_tags(tag);
    return action;
  }
  v1::Action Inline(const std::string& dockerfile) const {
    v1::Action action = ActionFor();
    action.mutable_build_image()->set_dockerfile(dockerfile);
    return action;
  }
  std::string Run(const std::string& image, const std::string& script) const {
    return host_.engine().Docker({"run", "--rm", image, "/bin/sh", "-c", script});
  }
  std::string Inspect(const std::string& image, const std::string& format) const {
    return host_.engine().Docker({"image", "inspect", "--format", format, image});
  }
  // Whatever came of it, the host is as before but for images.
  void ExpectNothingLeft() const {
    EXPECT_THAT(host_.PathsBelow(host_.data() + "/builds"), IsEmpty());
    EXPECT_THAT(host_.PathsBelow(host_.data() + "/private"), IsEmpty());
    EXPECT_EQ(host_.engine().Docker({"ps", "--all", "--quiet"}), "");
  }

  AgentHost host_;
};

TEST_F(BuildTest, BuildsACommitAndSkipsWhatHasNotChanged) {
  const GitRepository repository(host_.Folder("git"));
  repository.Write("app/Dockerfile",
                   "FROM fl/app:1\nARG VERSION\nCOPY . /src\nRUN echo $VERSION > /version\n");
  repository.Write("app/file", "one");
  repository.Write("app/.dockerignore", "*.md\n");
  const std::string commit = repository.Commit("the subject");
  repository.Push();
  v1::Action action = ActionFor();
  v1::BuildImage& request = *action.mutable_build_image();
  request.mutable_git()->set_url(repository.url());
  request.mutable_git()->set_branch("main");
  request.set_context("app");
  request.add_build_args("VERSION=7 and a half");
  request.add_labels("team=itest");
  request.set_commit_tag(true);
  request.mutable_pre_build()->set_directory("app");
  request.mutable_pre_build()->set_script("echo made > made");
  v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  const v1::BuildResult first = outcome.build();
  EXPECT_EQ(first.commit(), commit);
  EXPECT_EQ(first.subject(), "the subject");
  EXPECT_THAT(first.references(),
              ElementsAre("itest/app:1.0.0", absl::StrCat("itest/app:", commit.substr(0, 7))));
  EXPECT_EQ(Inspect("itest/app:1.0.0", "{{.Id}}"), first.image_id());
  EXPECT_EQ(Inspect("itest/app:1.0.0", "{{.Config.Labels.team}}"), "itest");
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /version /src/file /src/made; ls -A /src"),
            "7 and a half\nonemade\n.dockerignore\nDockerfile\nfile\nmade");
  EXPECT_THAT(host_.Output(), HasSubstr("COPY . /src"));
  EXPECT_THAT(host_.progress(), Contains(MatchesRegex("building step [23]/[345].*: COPY . /src")))
      << absl::StrJoin(host_.progress(), "\n");
  ExpectNothingLeft();

  repository.Write("app/notes.md", "ignored");
  repository.Commit("a note");
  repository.Push();
  request.set_known_content_hash(first.content_hash());
  request.set_known_image_id(first.image_id());
  request.set_tags(0, "1.0.1");
  outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_TRUE(outcome.build().unchanged());
  EXPECT_EQ(outcome.build().image_id(), first.image_id());
  EXPECT_EQ(Inspect("itest/app:1.0.1", "{{.Id}}"), first.image_id()) << "the new tag is put on";
  EXPECT_THAT(host_.Output(), Not(HasSubstr("COPY")));

  const auto changes = [&](const std::string& what) {
    outcome = host_.Run(action);
    EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << what << outcome.message();
    EXPECT_FALSE(outcome.build().unchanged()) << what;
  };
  repository.Write("app/file", "two");
  repository.Commit("a change");
  repository.Push();
  changes("a file");
  request.set_known_content_hash(outcome.build().content_hash());
  request.set_known_image_id(outcome.build().image_id());
  EXPECT_TRUE(host_.Run(action).build().unchanged());
  request.set_build_args(0, "VERSION=8");
  changes("an argument");
  request.set_build_args(0, "VERSION=7 and a half");
  request.set_force(true);
  changes("by force");
  request.set_force(false);
  request.set_known_image_id("sha256:" + std::string(64, '0'));
  changes("the image is gone");
}

TEST_F(BuildTest, BuildsAFolderOfTheHostAndAnInlineDockerfile) {
  const std::string folder = host_.Folder("files");
  AgentHost::WriteFile(folder + "/sub/My.Dockerfile", "FROM fl/app:1\nCOPY data /data\n");
  AgentHost::WriteFile(folder + "/data", "of the host");
  v1::Action action = ActionFor();
  action.mutable_build_image()->set_host_directory(folder);
  action.mutable_build_image()->set_dockerfile_path("sub/My.Dockerfile");
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /data"), "of the host");
  action.mutable_build_image()->set_dockerfile("FROM fl/app:1\nCOPY data /inline\n");
  ASSERT_EQ(host_.Run(action).status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /inline"), "of the host");
  ASSERT_EQ(host_.Run(Inline("FROM fl/app:1\nRUN echo alone > /alone\n")).status(),
            v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /alone"), "alone");
  EXPECT_EQ(host_.PathsBelow(folder),
            (std::vector<std::string>{"/data", "/sub", "/sub/My.Dockerfile"}));
  ExpectNothingLeft();
}

TEST_F(BuildTest, SaysWhyItFails) {
  struct Case {
    v1::Action action;
    absl::StatusCode code;
    std::string says;
  };
  v1::Action nowhere = ActionFor();
  nowhere.mutable_build_image()->set_host_directory("/nowhere/at/all");
  v1::Action without = ActionFor();
  without.mutable_build_image()->set_host_directory(host_.Folder("empty"));
  const GitRepository repository(host_.Folder("git"));
  repository.Write("a", "x");
  repository.Commit("x");
  repository.Push();
  v1::Action leaves = ActionFor();
  leaves.mutable_build_image()->mutable_git()->set_url(repository.url());
  leaves.mutable_build_image()->set_dockerfile_path("../../../../../../etc/passwd");
  v1::Action prepares = Inline("FROM fl/app:1\n");
  prepares.mutable_build_image()->mutable_pre_build()->set_script("echo cannot; false");
  v1::Action nameless = Inline("FROM fl/app:1\n");
  nameless.mutable_build_image()->clear_tags();
  const std::vector<Case> cases = {
      {Inline("FROM fl/app:1\nRUN echo the reason; exit 3\n"),
       absl::StatusCode::kFailedPrecondition, "the reason"},
      {Inline("FROM fl/app:1\nNONSENSE x\n"), absl::StatusCode::kFailedPrecondition, "NONSENSE"},
      {nowhere, absl::StatusCode::kNotFound, "/nowhere/at/all is not on this host"},
      {without, absl::StatusCode::kNotFound, "Dockerfile"},
      {leaves, absl::StatusCode::kInvalidArgument, "leaves the source"},
      {prepares, absl::StatusCode::kFailedPrecondition, "pre_build ended with 1:\ncannot"},
      {nameless, absl::StatusCode::kInvalidArgument, "neither a name nor a tag"},
      {ActionFor(), absl::StatusCode::kInvalidArgument, "neither a source nor a Dockerfile"},
  };
  for (const Case& one : cases) {
    const v1::ActionOutcome outcome = host_.Run(one.action);
    EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), one.code) << outcome.message();
    EXPECT_THAT(outcome.message(), HasSubstr(one.says));
    ExpectNothingLeft();
  }
}

TEST_F(BuildTest, AHangingBuildEndsWithACancelAndLeavesNothing) {
  const v1::Action action = Inline("FROM fl/app:1\nRUN echo hanging; sleep 1000\n");
  const v1::ActionOutcome outcome = host_.RunAndCancelAt(action, "hanging");
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_CANCELLED) << outcome.message();
  EXPECT_OK(WaitFor("the end of the build's container",
                    [&] { return host_.engine().Docker({"ps", "--all", "--quiet"}).empty(); }));
  ExpectNothingLeft();
}

TEST_F(BuildTest, AHangingBuildEndsWithTheDeadline) {
  v1::Action action = Inline("FROM fl/app:1\nRUN sleep 1001\n");
  *action.mutable_deadline() = base::ToProto(absl::Seconds(4));
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), absl::StatusCode::kDeadlineExceeded);
  EXPECT_OK(WaitFor("the end of the build's container",
                    [&] { return host_.engine().Docker({"ps", "--all", "--quiet"}).empty(); }));
}

TEST_F(BuildTest, AFloodOfOutputIsBoundedAndItsEndIsShown) {
  const std::string bytes = "600000000";
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  const v1::ActionOutcome outcome = host_.Run(Inline(
      absl::StrCat("FROM fl/app:1\nRUN yes 0123456789012345678901234567890123456789 | head -c ",
                   bytes, "; echo; echo the last word; exit 1\n")));
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_THAT(outcome.message(), HasSubstr("the last word"));
  EXPECT_THAT(host_.Output(), HasSubstr("the last word"));
  EXPECT_LT(host_.lines().size(), 2100u);
  EXPECT_LT(host_.Output().size(), 300u << 10);
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 32 << 10) << "KiB";
  RecordProperty("lines", static_cast<int>(host_.lines().size()));
}

TEST_F(BuildTest, SecretsShowNowhere) {
  v1::Action action = Inline("FROM fl/app:1\nARG OPEN\nRUN echo built\n");
  action.add_secrets("hunter2-secret");
  v1::BuildImage& request = *action.mutable_build_image();
  request.add_secret_args("TOKEN=hunter2-secret");
  request.add_build_args("OPEN=value-of-open");
  request.mutable_pre_build()->set_script("echo token $TOKEN; sleep 0.6; echo again");
  host_.WatchArguments();
  v1::ActionOutcome outcome = host_.Run(action);
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_THAT(host_.Output(), AllOf(HasSubstr("token ***"), Not(HasSubstr("hunter2"))));
  EXPECT_TRUE(absl::StrContains(host_.arguments_seen(), "/bin/sh -c"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "hunter2"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "value-of-open"));
  const std::string history = host_.engine().Docker(
      {"history", "--no-trunc", "--format", "{{.CreatedBy}}", "itest/app:1.0.0"});
  EXPECT_THAT(history, AllOf(HasSubstr("value-of-open"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(host_.engine().Docker({"image", "inspect", "itest/app:1.0.0"}),
              Not(HasSubstr("hunter2")));
  ExpectNothingLeft();

  request.add_labels("token=hunter2-secret");
  outcome = host_.Run(action);
  EXPECT_THAT(outcome.message(), AllOf(HasSubstr("label token"), Not(HasSubstr("hunter2"))));
  request.clear_labels();
  request.add_build_args("LEAK=hunter2-secret");
  outcome = host_.Run(action);
  EXPECT_THAT(absl::StrCat(outcome.ShortDebugString()),
              AllOf(HasSubstr("build argument LEAK"), Not(HasSubstr("hunter2"))));
}

// Debian's docker program speaks BuildKit by itself; a newer one needs the buildx plugin.
TEST_F(BuildTest, MountsSecretsByBuildKit) {
  const std::string path = std::getenv("PATH");
  if (RunCommand({"docker", "buildx", "version"}).exit_code != 0)
    setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin", 1);
  const std::string version = MustRun({"docker", "--version"});
  v1::Action action = Inline(
      "FROM fl/app:1\nRUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN > /length\n");
  action.mutable_build_image()->add_secret_args("TOKEN=hunter2-secret");
  host_.WatchArguments();
  const v1::ActionOutcome outcome = host_.Run(action);
  setenv("PATH", path.c_str(), 1);
  if (absl::StrContains(outcome.message(), "docker-buildx-plugin")) {
    GTEST_SKIP() << "there is no BuildKit: " << version;
  }
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /length"), "14");
  EXPECT_THAT(host_.engine().Docker({"history", "--no-trunc", "itest/app:1.0.0"}),
              Not(HasSubstr("hunter2")));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "hunter2"));
  ExpectNothingLeft();
}

// A plugin of whoever runs the agent, which finds it although docker gets a configuration of its
// own.
TEST_F(BuildTest, BuildsByTheBuildxOfTheUser) {
  const std::string plugin = CheckTool("docker-buildx");
  if (plugin.empty()) {
    GTEST_SKIP() << "buildx is not here; tools/check_tools builds it where Go's modules can be "
                    "reached";
  }
  const std::string config = host_.Folder("docker-config");
  fs::create_directories(config + "/cli-plugins");
  fs::create_symlink(plugin, config + "/cli-plugins/docker-buildx");
  AgentHost::WriteFile(config + "/config.json",
                       R"({"auths":{"registry.invalid":{"auth":"eDp5"}}})");
  v1::Action action = Inline(
      "FROM fl/app:1\nARG OPEN\nRUN --mount=type=secret,id=TOKEN echo it is $(cat "
      "/run/secrets/TOKEN) with $OPEN && wc -c < /run/secrets/TOKEN > /length\n");
  v1::BuildImage& request = *action.mutable_build_image();
  request.set_use_buildx(true);
  request.add_secret_args("TOKEN=hunter2-secret");
  request.add_build_args("OPEN=value-of-open");
  host_.WatchArguments();
  setenv("DOCKER_CONFIG", config.c_str(), 1);
  v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_THAT(outcome.warnings(), IsEmpty()) << "it is on this host";
  ASSERT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << outcome.message();
  EXPECT_EQ(Run("itest/app:1.0.0", "cat /length"), "14");
  EXPECT_EQ(Inspect("itest/app:1.0.0", "{{.Id}}"), outcome.build().image_id());
  EXPECT_THAT(host_.Output(),
              AllOf(HasSubstr("it is *** with value-of-open"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(host_.engine().Docker({"history", "--no-trunc", "itest/app:1.0.0"}),
              Not(HasSubstr("hunter2")));
  EXPECT_THAT(host_.engine().Docker({"image", "inspect", "itest/app:1.0.0"}),
              Not(HasSubstr("hunter2")));
  EXPECT_TRUE(absl::StrContains(host_.arguments_seen(), "buildx build"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "hunter2"));
  EXPECT_FALSE(absl::StrContains(host_.arguments_seen(), "value-of-open"));
  ExpectNothingLeft();
  EXPECT_FALSE(fs::exists(config + "/buildx")) << "nothing is written into the user's folder";

  request.set_dockerfile(
      "FROM fl/app:1\nRUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN; exit 3\n");
  outcome = host_.Run(action);
  unsetenv("DOCKER_CONFIG");
  EXPECT_EQ(static_cast<absl::StatusCode>(outcome.code()), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(absl::StrCat(outcome.ShortDebugString(), host_.Output()),
              AllOf(HasSubstr("exit 3"), HasSubstr("***"), Not(HasSubstr("hunter2"))));
  ExpectNothingLeft();
}

TEST_F(BuildTest, AKillInPreBuildIsToldAndNotRepeated) {
  v1::Action action = Inline("FROM fl/app:1\n");
  action.set_id("the-action");
  const std::string ran = host_.directory() + "/ran";
  action.mutable_build_image()->mutable_pre_build()->set_script(
      absl::StrCat("echo ran >> ", ran, "; sleep 60"));
  const pid_t child = fork();
  if (child == 0) {
    host_.Run(action);
    _exit(0);
  }
  ASSERT_OK(WaitFor("the command", [&] { return base::ReadFile(ran).value_or("") == "ran\n"; }));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  host_.Restart();
  const v1::ActionOutcome outcome = host_.Run(action);
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_INTERRUPTED);
  EXPECT_THAT(outcome.message(), HasSubstr("pre_build was cut by a restart"));
  EXPECT_EQ(base::ReadFile(ran).value_or(""), "ran\n");
  ExpectNothingLeft();
}

}  // namespace
}  // namespace fairlead::integration
