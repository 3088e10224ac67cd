// What happens around a stack: commands, watched files, builds, wrappers, registries, run flags.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/registry.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kLong = absl::Seconds(90);
constexpr char kToken[] = "t0ken";
constexpr int kRegistryPort = 5077;
constexpr char kRegistry[] = "127.0.0.1:5077";

class StackTest : public ::testing::Test {
 protected:
  StackTest()
      : fleet_({.accounts = absl::StrCat("[[docker_registry]]\ndomain = \"", kRegistry,
                                         "\"\naccounts = [{ username = \"test\", token = \"",
                                         kToken, "\" }]\n")}) {
    EXPECT_OK(fleet_.Start());
  }

  // A file outside of everything that Fairlead manages.
  std::string Beside(const std::string& name) const {
    return absl::StrCat(fleet_.directory(), "/", name);
  }
  std::string Content(const std::string& name) const {
    return base::ReadFile(Beside(name)).value_or("");
  }
  void Touch(const std::string& name) const {
    EXPECT_TRUE(base::WriteFileAtomically(Beside(name), "").ok());
  }
  // The stack "shop" with its files in shop/.
  std::string PushShop(const std::string& compose, const std::string& config = "") {
    fleet_.repository().Write("shop/compose.yaml", compose);
    return fleet_.PushFile(
        "shop.toml",
        absl::StrCat("[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"host-1\"\n"
                     "run_directory = \"shop\"\nauto_pull = false\nmin_ready = \"300ms\"\n",
                     config));
  }
  static std::string Compose(const std::string& image, const std::string& more = "") {
    return absl::StrCat("version: \"3.7\"\nservices:\n  front:\n    image: ", image,
                        "\n    volumes:\n    - ./site.conf:/etc/site.conf:ro\n", more,
                        "  back:\n    image: fl/app:1\n");
  }
  EngineContainer Find(absl::string_view service) const {
    for (const EngineContainer& one : fleet_.engine().Containers("stack/shop")) {
      if (absl::StrContains(one.name, service)) return one;
    }
    return EngineContainer();
  }
  std::string Inspect(absl::string_view service, const std::string& format) const {
    return fleet_.engine().Docker({"inspect", "--format", format, Find(service).id});
  }
  absl::Status WaitImage(absl::string_view service, absl::string_view image) const {
    return WaitFor(
        absl::StrCat(service, " to run ", image),
        [&] {
          const EngineContainer found = Find(service);
          return found.image == image && found.state == "running";
        },
        kLong);
  }

  MiniFleet fleet_;
};

TEST_F(StackTest, CommandsRunAroundAChangeAndAFailedOneLeavesWhatRuns) {
  fleet_.repository().Write("shop/site.conf", "1\n");
  const std::string hooks =
      absl::StrCat("pre_deploy.command = \"echo pre $(pwd) >>", Beside("hooks"),
                   "\"\npost_deploy.command = \"echo post >>", Beside("hooks"), "\"\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(Compose("fl/app:1"), hooks), kLong));
  EXPECT_THAT(Content("hooks"), HasSubstr("pre "));
  EXPECT_THAT(Content("hooks"), HasSubstr("/stacks/shop/files\npost\n"));
  const std::string front = Find("front").id;

  // Nothing to do: nothing runs.
  const std::string before = Content("hooks");
  ASSERT_OK(
      fleet_.WaitConverged(PushShop(Compose("fl/app:1"), hooks + "links = [\"x\"]\n"), kLong));
  EXPECT_EQ(Content("hooks"), before);

  PushShop(Compose("fl/app:2"), "pre_deploy.command = \"echo no room at all; exit 3\"\n");
  ASSERT_OK(fleet_.WaitStory("stack/shop", "pre_deploy ended with 3", kLong));
  EXPECT_THAT(fleet_.Cli({"events"}).out, HasSubstr("no room at all"));
  EXPECT_EQ(Find("front").id, front);
  EXPECT_EQ(Find("front").state, "running");

  // So does a file that cannot be resolved.
  PushShop("services:\n  front:\n    image: [\n", hooks);
  ASSERT_OK(fleet_.WaitStory("stack/shop", "compose.yaml", kLong));
  EXPECT_EQ(Find("front").id, front);
  EXPECT_EQ(Content("hooks"), before);

  ASSERT_OK(fleet_.WaitConverged(PushShop(Compose("fl/app:2"), hooks), kLong));
  EXPECT_OK(WaitImage("front", "fl/app:2"));
}

TEST_F(StackTest, ACommandCutByACrashWaitsForARetry) {
  fleet_.repository().Write("shop/site.conf", "1\n");
  PushShop(Compose("fl/app:1"),
           absl::StrCat("pre_deploy = { shell_mode = true, command = \"echo x >>", Beside("hooks"),
                        "; test -e ", Beside("go"), " || sleep 300\" }\n"));
  ASSERT_OK(WaitFor("the command to run", [&] { return Content("hooks") == "x\n"; }, kLong));
  fleet_.agent().Kill();
  ASSERT_OK(fleet_.StartAgent(1));
  ASSERT_OK(fleet_.WaitStory("stack/shop", "was cut by a restart", kLong));
  // Commits of others bring no second try.
  fleet_.PushFile("note.toml", ToToml({.name = "note"}));
  ASSERT_OK(fleet_.WaitRunning("deployment/note", "fl/app:1", 1, kLong));
  EXPECT_EQ(Content("hooks"), "x\n");
  EXPECT_TRUE(fleet_.engine().Containers("stack/shop").empty());

  Touch("go");
  EXPECT_EQ(fleet_.Cli({"retry", "stack/shop"}).exit_code, 0);
  EXPECT_OK(WaitImage("front", "fl/app:1"));
  EXPECT_EQ(Content("hooks"), "x\nx\n");
}

TEST_F(StackTest, WatchedFilesAskForWhatTheySay) {
  const std::string watched =
      "config_files = [{ path = \"site.conf\", service = \"front\", requires = \"restart\" }, "
      "{ path = \"back.conf\", service = \"back\", requires = \"redeploy\" }]\n";
  fleet_.repository().Write("shop/site.conf", "1\n");
  fleet_.repository().Write("shop/back.conf", "1\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(Compose("fl/app:1"), watched), kLong));
  const std::string front = Find("front").id;
  const std::string back = Find("back").id;
  const std::string started = Inspect("front", "{{.State.StartedAt}}");

  fleet_.repository().Write("shop/site.conf", "2\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(Compose("fl/app:1"), watched), kLong));
  EXPECT_EQ(Find("front").id, front);
  EXPECT_NE(Inspect("front", "{{.State.StartedAt}}"), started);
  EXPECT_EQ(fleet_.engine().Docker({"exec", front, "cat", "/etc/site.conf"}), "2");
  EXPECT_EQ(Find("back").id, back);

  fleet_.repository().Write("shop/back.conf", "2\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(Compose("fl/app:1"), watched), kLong));
  EXPECT_EQ(Find("front").id, front);
  EXPECT_NE(Find("back").id, back);
}

TEST_F(StackTest, BuildsAndWraps) {
  fleet_.repository().Write("shop/site.conf", "1\n");
  fleet_.repository().Write("shop/app/Dockerfile", "FROM fl/app:1\nCOPY word /word\n");
  fleet_.repository().Write("shop/app/word", "one\n");
  fleet_.repository().Write("shop/secret.env", "export WORD=first\n");
  const std::string compose =
      Compose("shop/front:1", "    build: ./app\n    environment:\n      WORD: ${WORD}\n");
  const std::string config =
      "run_build = true\nbuild_extra_args = [\"--no-cache\"]\n"
      "compose_cmd_wrapper = \". ./secret.env; exec env 'A=b c' [[COMPOSE_COMMAND]]\"\n"
      "compose_cmd_wrapper_include = [\"config\", \"build\", \"up\"]\n";
  ASSERT_OK(fleet_.WaitConverged(PushShop(compose, config), kLong));
  EXPECT_EQ(fleet_.engine().Docker({"exec", Find("front").id, "cat", "/word"}), "one");
  EXPECT_THAT(Inspect("front", "{{.Config.Env}}"), HasSubstr("WORD=first"));
  const std::string back = Find("back").id;

  fleet_.repository().Write("shop/app/word", "two\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(compose, config), kLong));
  EXPECT_EQ(fleet_.engine().Docker({"exec", Find("front").id, "cat", "/word"}), "two");
  EXPECT_EQ(Find("back").id, back);

  // What the wrapper brings counts.
  fleet_.repository().Write("shop/secret.env", "export WORD=second\n");
  ASSERT_OK(fleet_.WaitConverged(PushShop(compose, config), kLong));
  EXPECT_THAT(Inspect("front", "{{.Config.Env}}"), HasSubstr("WORD=second"));
}

TEST_F(StackTest, LogsInAtAPrivateRegistryAndPullsOnDemand) {
  if (const std::string why = Registry::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  auto registry =
      std::make_unique<Registry>(fleet_.engine(), Beside("registry"), kRegistryPort, kToken);
  const std::string image = absl::StrCat(registry->domain(), "/team/app:1");
  registry->Fill("1");
  fleet_.repository().Write("shop/site.conf", "1\n");

  // An account that is not known is an error of the stack, and without one nothing is pulled.
  PushShop(Compose(image), absl::StrCat("registry_provider = \"", kRegistry,
                                        "\"\nregistry_account = \"nobody\"\n"));
  ASSERT_OK(fleet_.WaitStory("stack/shop", "nobody", kLong));
  PushShop(Compose(image));
  ASSERT_OK(fleet_.WaitStory("stack/shop", "pull failed", kLong));

  const std::string login =
      absl::StrCat("registry_provider = \"", kRegistry, "\"\nregistry_account = \"test\"\n");
  PushShop(Compose(image), login);
  EXPECT_EQ(fleet_.Cli({"retry", "stack/shop"}).exit_code, 0);
  ASSERT_OK(WaitImage("front", image));
  // They are gone once the action has ended.
  const std::string logins = absl::StrCat(fleet_.AgentData(1), "/stacks/shop/docker-config");
  EXPECT_OK(WaitFor("the logins to be gone", [&] { return !std::filesystem::exists(logins); }));
  EXPECT_THAT(fleet_.Cli({"events"}).out, Not(HasSubstr(kToken)));
  for (const char* log : {"controller.log", "agent-1.log"}) {
    EXPECT_THAT(Content(log), Not(HasSubstr(kToken)));
  }

  // A newer image of the same name comes when a run asks for it.
  const auto id_of_image = [&] {
    return fleet_.engine().Docker({"image", "inspect", "--format", "{{.Id}}", image});
  };
  const std::string before = id_of_image();
  registry->Fill("1", 2);
  fleet_.PushFile("pull.toml",
                  "[[procedure]]\nname = \"pull\"\n[[procedure.config.stage]]\nname = \"pull\"\n"
                  "executions = [{ execution = { type = \"PullStack\", params = { stack = \"shop\" "
                  "} } }]\n");
  ASSERT_OK(fleet_.WaitConverged(
      PushShop(absl::StrCat("version: \"3.7\"\nservices:\n  front:\n    image: ", image, "\n"),
               login),
      kLong));
  const CommandResult pulled = fleet_.Cli({"run", "procedure/pull", "--wait"});
  EXPECT_EQ(pulled.exit_code, 0) << pulled.out << pulled.err;
  EXPECT_NE(id_of_image(), before);
  // The same reference means another image now, and that is drift.
  ASSERT_OK(WaitFor(
      "front to run it",
      [&] {
        return !fleet_.engine()
                    .Docker({"ps", "--quiet", "--filter", absl::StrCat("ancestor=", id_of_image())})
                    .empty();
      },
      kLong));
  const std::string newer = Find("front").id;

  registry = nullptr;
  const CommandResult away = fleet_.Cli({"run", "procedure/pull", "--wait"});
  EXPECT_EQ(away.exit_code, 1);
  EXPECT_THAT(away.out, AllOf(HasSubstr("pull: "), HasSubstr(absl::StrCat(kRegistryPort))));
  EXPECT_EQ(Find("front").id, newer);
  EXPECT_THAT(away.out, Not(HasSubstr(kToken)));
}

TEST_F(StackTest, FlagsOfDockerRunReachTheEngine) {
  const auto deployment = [](const std::string& args) {
    return ToToml({.name = "flagged", .config = absl::StrCat("extra_args = [", args, "]\n")});
  };
  ASSERT_OK(fleet_.WaitConverged(
      fleet_.PushFile("flagged.toml",
                      deployment("\"--cap-add NET_ADMIN\", \"--memory=64m\", \"--cpus 0.5\", "
                                 "\"--add-host 'db:10.0.0.7'\", \"--ulimit nofile=1024:2048\", "
                                 "\"--tmpfs /run:size=1m\", \"-h web\", "
                                 "\"-e 'A=b c'\", \"--log-opt max-size=1m\"")),
      kLong));
  const std::string inspected = fleet_.engine().Docker(
      {"inspect", "--format",
       "{{.HostConfig.CapAdd}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} "
       "{{.HostConfig.ExtraHosts}} {{range "
       ".HostConfig.Ulimits}}{{.Name}}={{.Soft}}:{{.Hard}}{{end}} "
       "{{.HostConfig.Tmpfs}} {{.Config.Hostname}} {{.Config.Env}} "
       "{{.HostConfig.LogConfig.Config}}",
       "flagged"});
  for (const char* part : {"NET_ADMIN", " 67108864 500000000 ", "[db:10.0.0.7]", "nofile=1024:2048",
                           "map[/run:size=1m]", " web ", "A=b c", "map[max-size:1m]"}) {
    EXPECT_THAT(inspected, HasSubstr(part));
  }
  const std::string id = fleet_.engine().IdOf("flagged");

  fleet_.PushFile("flagged.toml", deployment("\"--memroy=64m\""));
  ASSERT_OK(fleet_.WaitStory("deployment/flagged", "is no flag of docker run", kLong));
  EXPECT_EQ(fleet_.engine().IdOf("flagged"), id);
}

}  // namespace
}  // namespace fairlead::integration
