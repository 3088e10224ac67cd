// Images on a real engine: one of a commit, the deployment that runs it, a newer one, and one that
// fails; and those of registries, open, behind a login, and failing.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/registry.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ImageTest : public testing::Test {
 protected:
  std::string Declaration(const std::string& deployment) {
    return absl::StrCat(
        "[[builder]]\nname = \"local\"\nconfig = { type = \"Server\", params = { server = "
        "\"host-1\" } "
        "}\n[[build]]\nname = \"api\"\n[build.config]\nbuilder = \"local\"\nurl = \"",
        fleet_.repository().url(),
        "\"\nbranch = \"main\"\nbuild_path = \"app\"\ninclude_commit_tag = false\n"
        "[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"host-1\"\nimage = { type "
        "= "
        "\"Build\", params = { build = \"api\" } }\nmin_ready = \"300ms\"\n",
        deployment);
  }
  void WriteApp(const std::string& version,
                const std::string& dockerfile = "FROM fl/app:1\nCOPY version /etc/version\n") {
    fleet_.repository().Write("app/version", version);
    fleet_.repository().Write("app/Dockerfile", dockerfile);
  }
  std::string VersionInside() const {
    return fleet_.engine().Docker({"exec", "web", "cat", "/etc/version"});
  }

  MiniFleet fleet_;
};

TEST_F(ImageTest, WhatADeploymentNeedsIsBuiltAndANewerImageReplacesIt) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one");
  ASSERT_OK(fleet_.WaitConverged(
      fleet_.PushFile("all.toml", Declaration("redeploy_on_build = true\n")), absl::Seconds(120)));
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.1"));
  EXPECT_EQ(VersionInside(), "one");
  EXPECT_THAT(fleet_.Cli({"runs", "build/api"}).out,
              AllOf(HasSubstr("succeeded"), HasSubstr("deployment/web")));
  EXPECT_THAT(fleet_.Cli({"get", "builds"}).out, HasSubstr("0.0.1, api:0.0.1 of "));

  WriteApp("two");
  fleet_.Push("two");
  const CommandResult built = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(built.exit_code, 0) << built.out << built.err;
  EXPECT_THAT(built.out, AllOf(HasSubstr("COPY version"), HasSubstr("made 0.0.2 of ")));
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.2"));
  EXPECT_EQ(VersionInside(), "two");

  const CommandResult again = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(again.exit_code, 0) << again.out;
  EXPECT_THAT(again.out, HasSubstr("nothing has changed"));
}

TEST_F(ImageTest, ACommitOfABranchThatIsLookedAtIsBuiltByItself) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one");
  const std::string polled = absl::StrReplaceAll(
      Declaration("redeploy_on_build = true\n"),
      {{"build_path = \"app\"\n", "build_path = \"app\"\npoll_interval = \"1s\"\n"}});
  ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("all.toml", polled), absl::Seconds(120)));
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.1"));
  EXPECT_FALSE(absl::StrContains(fleet_.Cli({"runs", "build/api"}).out, "its branch"))
      << "what was needed is of that commit";

  WriteApp("two");
  fleet_.Push("two");
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.2", 1, absl::Seconds(90)));
  EXPECT_EQ(VersionInside(), "two");
  EXPECT_THAT(fleet_.Cli({"runs", "build/api"}).out,
              AllOf(HasSubstr("succeeded"), HasSubstr("its branch")));
}

TEST_F(ImageTest, OnATerminalABuildShowsItsSteps) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one", "FROM fl/app:1\nRUN sleep 2\nCOPY version /etc/version\n");
  // Nothing needs the build, which would make it by itself.
  const std::string all = Declaration("");
  fleet_.PushFile("all.toml", all.substr(0, all.find("[[deployment]]")));
  ASSERT_OK(WaitFor("the build to be known", [&] {
    return absl::StrContains(fleet_.Cli({"get", "builds"}).out, "build/api");
  }));
  // A terminal of its own.
  const CommandResult built = RunCommand(
      {"script", "--quiet", "--return", "--command",
       absl::StrCat(ProgramPath("fairlead"), " --controller ", fleet_.grpc(), " build api --wait"),
       "/dev/null"},
      {{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(built.exit_code, 0) << built.out << built.err;
  EXPECT_THAT(built.out, AllOf(HasSubstr(".. RunBuild build/api  building step 2/3: RUN sleep 2"),
                               HasSubstr("made 0.0.1 of ")));
}

TEST_F(ImageTest, AFailingBuildLeavesWhatRuns) {
  ASSERT_OK(fleet_.Start());
  WriteApp("one");
  ASSERT_OK(fleet_.WaitConverged(
      fleet_.PushFile("all.toml", Declaration("redeploy_on_build = true\n")), absl::Seconds(120)));
  const std::string id = fleet_.engine().IdOf("web");
  WriteApp("two", "FROM fl/app:1\nCOPY missing /etc/version\n");
  fleet_.Push("broken");
  const CommandResult built = fleet_.Cli({"build", "api", "--wait"});
  EXPECT_EQ(built.exit_code, 1);
  EXPECT_THAT(built.out, HasSubstr("missing"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), id);
  EXPECT_EQ(fleet_.Condition("deployment/web"), "CONVERGED");
  EXPECT_EQ(fleet_.Condition("build/api"), "DEGRADED");
  EXPECT_THAT(fleet_.Story("build/api"), HasSubstr("there is 0.0.1 of "));

  WriteApp("three");
  fleet_.Push("mended");
  EXPECT_EQ(fleet_.Cli({"build", "api", "--wait"}).exit_code, 0);
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "api:0.0.2"));
  EXPECT_EQ(VersionInside(), "three");
}

// Images of registries, some of which fail, for the deployment "web".
class PullTest : public testing::Test {
 protected:
  PullTest()
      : fleet_({.accounts = absl::StrCat("[[docker_registry]]\ndomain = \"", kClosed,
                                         "\"\naccounts = [{ username = \"test\", token = "
                                         "\"hunter2-password\" }]\n")}) {}
  void SetUp() override {
    if (const std::string why = Registry::WhyNot(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_OK(fleet_.Start());
  }
  std::string Beside(const std::string& name) const { return fleet_.directory() + "/" + name; }
  std::string Declare(const std::string& image, const std::string& config = "") {
    return fleet_.PushFile(
        "web.toml",
        absl::StrCat(ToToml({.name = "web", .image = image, .config = config}),
                     "[[procedure]]\nname = \"pull\"\n[[procedure.config.stage]]\nname = "
                     "\"pull\"\nexecutions = [{ execution = { type = \"PullDeployment\", params "
                     "= { deployment = \"web\" } } }]\n"));
  }
  bool HasImage(const std::string& image) const {
    return !fleet_.engine().Docker({"images", "--quiet", image}).empty();
  }
  // `id` runs on alone, and of the image there is nothing.
  void ExpectNothingDone(const std::string& id, const std::string& image) const {
    const std::vector<EngineContainer> containers = fleet_.engine().Containers("deployment/web");
    ASSERT_EQ(containers.size(), 1u);
    EXPECT_EQ(containers[0].id, id);
    EXPECT_EQ(containers[0].state, "running");
    EXPECT_FALSE(HasImage(image));
  }

  static constexpr char kClosed[] = "127.0.0.1:5002";
  MiniFleet fleet_;
};

TEST_F(PullTest, PullsFromAnOpenRegistryAndWithALogin) {
  const Registry open(fleet_.engine(), Beside("open"), 5001);
  const Registry closed(fleet_.engine(), Beside("closed"), 5002, "hunter2-password");
  open.Fill("1");
  closed.Fill("2");
  ASSERT_OK(fleet_.WaitConverged(Declare(open.domain() + "/team/app:1"), absl::Seconds(90)));
  const std::string id = fleet_.engine().IdOf("web");

  const std::string image = absl::StrCat(kClosed, "/team/app:2");
  Declare(image);
  ASSERT_OK(fleet_.WaitStory("deployment/web", "no basic auth credentials", absl::Seconds(60)));
  EXPECT_THAT(fleet_.Story("deployment/web"), HasSubstr(absl::StrCat("image ", image)));
  ExpectNothingDone(id, image);
  const CommandResult run = fleet_.Cli({"run", "procedure/pull", "--wait"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.out, AllOf(HasSubstr(image), HasSubstr("no basic auth credentials")));

  ASSERT_OK(fleet_.WaitConverged(Declare(image, "image_registry_account = \"test\"\n"),
                                 absl::Seconds(90)));
  EXPECT_OK(fleet_.WaitRunning("deployment/web", image));
  EXPECT_EQ(fleet_.Cli({"run", "procedure/pull", "--wait"}).exit_code, 0);
  EXPECT_FALSE(absl::StrContains(fleet_.Cli({"events"}).out, "hunter2"));
}

TEST_F(PullTest, AFailedPullIsSaidAndLeavesWhatRuns) {
  const Registry open(fleet_.engine(), Beside("open"), 5001);
  const FaultProxy proxy(fleet_.engine(), Beside("proxy"), 5003, 5001);
  open.Fill("1");
  ASSERT_OK(fleet_.WaitConverged(Declare(proxy.domain() + "/team/app:1"), absl::Seconds(90)));
  struct Case {
    std::string how;
    std::string says;
    std::string config;
  };
  int tag = 1;
  for (const Case& one :
       std::vector<Case>{{"401", "unauthorized", ""},
                         {"429", "toomanyrequests", ""},
                         {"500", "500 Internal Server Error", ""},
                         // The engine itself tries that again for a minute.
                         {"cut", "did not finish in time", "action_timeout = \"8s\"\n"}}) {
    SCOPED_TRACE(one.how);
    const std::string id = fleet_.engine().IdOf("web");
    open.Fill(absl::StrCat(++tag));
    const std::string image = absl::StrCat(proxy.domain(), "/team/app:", tag);
    proxy.FailPulls(one.how, 1000);
    Declare(image, one.config);
    ASSERT_OK(fleet_.WaitStory("deployment/web", one.says, absl::Seconds(60)));
    EXPECT_THAT(fleet_.Story("deployment/web"), HasSubstr(absl::StrCat("image ", image)));
    ExpectNothingDone(id, image);
    if (one.how != "cut") {
      const CommandResult run = fleet_.Cli({"run", "procedure/pull", "--wait"});
      EXPECT_EQ(run.exit_code, 1);
      EXPECT_THAT(run.out, AllOf(HasSubstr(image), HasSubstr(one.says)));
    }
    EXPECT_LT(proxy.Left(), 1000);
    proxy.FailPulls("500", 0);
    EXPECT_EQ(fleet_.Cli({"retry", "deployment/web"}).exit_code, 0);
    ASSERT_OK(fleet_.WaitRunning("deployment/web", image, 1, absl::Seconds(60)));
  }
}

TEST_F(PullTest, ALayerThatBreaksOffIsFetchedAgain) {
  const Registry open(fleet_.engine(), Beside("open"), 5001);
  const FaultProxy proxy(fleet_.engine(), Beside("proxy"), 5003, 5001);
  open.Fill("cut");
  proxy.FailPulls("cut", 1);
  ASSERT_OK(fleet_.WaitConverged(Declare(proxy.domain() + "/team/app:cut"), absl::Seconds(90)));
  EXPECT_EQ(proxy.Left(), 0);
}

}  // namespace
}  // namespace fairlead::integration
