// What ran before Fairlead came is imported, committed and taken over as it is.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCompose[] =
    "services:\n"
    "  db:\n    image: fl/app:1\n    volumes: [\"store:/store\"]\n"
    "  front:\n    image: fl/app:1\n    depends_on: [db]\n    environment: [LEVEL=debug]\n"
    "    volumes: [\"./conf:/conf\"]\n    ports: [\"18091:80\"]\n"
    "volumes:\n  store: {}\n";

class AdoptionTest : public testing::Test {
 protected:
  // A container and a compose project, made by hand.
  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    engine().Docker({"run", "-d", "--name", "web", "--restart", "unless-stopped", "-p",
                     "127.0.0.1:18090:80", "-v", "data:/data", "-e", "MODE=live", "-e",
                     "GREETING=two words", "--label", "team=ops", "--stop-timeout", "3",
                     "fl/app:1"});
    project_ = absl::StrCat(fleet_.directory(), "/shop");
    ASSERT_OK(base::MakeDirectories(absl::StrCat(project_, "/conf"), 0755));
    ASSERT_OK(base::WriteFileAtomically(absl::StrCat(project_, "/compose.yaml"), kCompose));
    Compose({"up", "-d"});
  }

  void Compose(std::vector<std::string> arguments) {
    std::vector<std::string> argv = {"docker-compose", "-f",
                                     absl::StrCat(project_, "/compose.yaml")};
    if (RunCommand({"docker", "compose", "version"}).exit_code == 0) {
      argv = {"docker", "compose", "-f", absl::StrCat(project_, "/compose.yaml")};
    }
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    MustRun(argv, {{"DOCKER_HOST", engine().host()}});
  }

  std::string Import() {
    const CommandResult result =
        fleet_.Cli({"import", "docker", "--server", "host-1", "--docker-host", engine().host()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

  // Container ids by name.
  std::map<std::string, std::string> Ids() {
    std::map<std::string, std::string> ids;
    for (const char* name : {"web", "shop_db_1", "shop_front_1", "shop-db-1", "shop-front-1"}) {
      const std::string id = engine().IdOf(name);
      if (!id.empty()) ids[name] = id;
    }
    return ids;
  }

  Engine& engine() { return fleet_.engine(); }

  MiniFleet fleet_;
  std::string project_;
};

TEST_F(AdoptionTest, WhatRunsIsTakenOverAsItIs) {
  const std::string toml = Import();
  EXPECT_THAT(toml, AllOf(HasSubstr("[[stack]]\nname = \"shop\"\nadopt = true\n"),
                          HasSubstr("[[deployment]]\nname = \"web\"\nadopt = true\n")));
  const auto before = Ids();
  ASSERT_EQ(before.size(), 3u);

  const std::string commit = fleet_.PushFile("imported.toml", toml);

  ASSERT_OK(fleet_.WaitConverged(commit));
  EXPECT_EQ(Ids(), before);
  EXPECT_EQ(fleet_.Cli({"plan"}).exit_code, 0) << fleet_.Cli({"plan"}).out;
  EXPECT_EQ(fleet_.Condition("deployment/web"), "CONVERGED");
  EXPECT_EQ(fleet_.Condition("stack/shop"), "CONVERGED");
  EXPECT_THAT(fleet_.Cli({"describe", "deployment/web"}).out, HasSubstr("(adopted)"));
  EXPECT_THAT(fleet_.Cli({"status"}).out, HasSubstr("3 ok"));
  EXPECT_THAT(engine().Containers(), IsEmpty()) << "labels come with the next recreate";

  // Neither end forgets.
  fleet_.agent().Kill();
  fleet_.controller().Kill();
  ASSERT_OK(fleet_.StartController());
  ASSERT_OK(fleet_.StartAgent(1));
  ASSERT_OK(fleet_.WaitConverged(commit));
  EXPECT_EQ(Ids(), before);
}

TEST_F(AdoptionTest, WhatWasTakenOverIsKeptChangedAndRemovedLikeTheRest) {
  const std::string toml = Import();
  ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("imported.toml", toml)));
  const auto before = Ids();

  // A member of the project dies and is started again; a removed one comes back.
  const std::string db = before.contains("shop_db_1") ? "shop_db_1" : "shop-db-1";
  const std::string front = before.contains("shop_db_1") ? "shop_front_1" : "shop-front-1";
  engine().Docker({"kill", db});
  ASSERT_OK(WaitFor("db to run again", [&] {
    return engine().Docker({"inspect", "--format", "{{.State.Running}}", db}) == "true";
  }));
  EXPECT_EQ(engine().IdOf(db), before.at(db));
  engine().Docker({"rm", "-f", "web"});
  ASSERT_OK(fleet_.WaitRunning("deployment/web", "fl/app:1"));

  // The next change makes them ours, and touches only what it names.
  ASSERT_OK(
      base::WriteFileAtomically(absl::StrCat(project_, "/compose.yaml"),
                                absl::StrReplaceAll(kCompose, {{"LEVEL=debug", "LEVEL=info"}})));
  const std::string commit = fleet_.PushFile(
      "imported.toml",
      absl::StrReplaceAll(toml, {{"GREETING=two words", "GREETING=three"},
                                 {"[stack.config]", "[stack.config]\nenvironment = \"A=1\""}}));
  ASSERT_OK(fleet_.WaitConverged(commit));
  EXPECT_EQ(engine().IdOf(db), before.at(db));
  EXPECT_NE(engine().IdOf(front), before.at(front));
  EXPECT_EQ(engine().Containers("stack/shop").size(), 1u);
  EXPECT_THAT(engine().Docker({"inspect", "--format", "{{.Config.Env}}", "web"}),
              HasSubstr("GREETING=three"));

  ASSERT_OK(fleet_.WaitConverged(fleet_.PushRemoval("imported.toml")));
  EXPECT_THAT(Ids(), IsEmpty());
}

TEST_F(AdoptionTest, WhatDiffersIsLeftAloneAndNamed) {
  const auto before = Ids();
  ASSERT_OK(
      base::WriteFileAtomically(absl::StrCat(project_, "/compose.yaml"),
                                absl::StrReplaceAll(kCompose, {{"LEVEL=debug", "LEVEL=info"}})));
  fleet_.PushFile("imported.toml", absl::StrReplaceAll(Import(), {{"MODE=live", "MODE=other"}}));

  EXPECT_OK(fleet_.WaitStory("deployment/web", "environment.MODE"));
  EXPECT_OK(fleet_.WaitStory("stack/shop", "service front: its definition or its image"));
  EXPECT_EQ(Ids(), before);
}

}  // namespace
}  // namespace fairlead::integration
