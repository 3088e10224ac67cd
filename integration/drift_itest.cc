// What is changed by hand behind Fairlead's back.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kRest = absl::Seconds(3);

class DriftTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(fleet_.Start()); }

  // `web`, that is healed, and `quiet`, that is not; both converged.
  void DeployPair(const std::string& image, const std::string& config = "") {
    fleet_.repository().Write("web.toml",
                              ToToml({.name = "web", .image = image, .config = config}));
    fleet_.repository().Write(
        "quiet.toml",
        ToToml({.name = "quiet", .image = image, .head = "heal = false\n", .config = config}));
    commit_ = fleet_.Push("web and quiet");
    ASSERT_OK(fleet_.WaitConverged(commit_));
    web_ = fleet_.engine().IdOf("web");
    quiet_ = fleet_.engine().IdOf("quiet");
  }

  // `web` is another container that runs and stays; `quiet` is the same and tells `story`.
  void ExpectHealedAndReported(const std::string& story) {
    EXPECT_OK(WaitFor("another web", [&] {
      const std::string id = fleet_.engine().IdOf("web");
      return !id.empty() && id != web_;
    }));
    EXPECT_OK(fleet_.WaitCondition("deployment/web", "CONVERGED"));
    EXPECT_OK(fleet_.WaitStory("deployment/quiet", story));
    EXPECT_OK(fleet_.WaitCondition("deployment/quiet", "DEGRADED"));
    const std::string healed = fleet_.engine().IdOf("web");
    EXPECT_OK(HoldsFor(
        "both are left alone", [&] { return fleet_.engine().IdOf("web") == healed; }, kRest));
    EXPECT_EQ(fleet_.engine().IdOf("quiet"), quiet_) << "heal = false";
  }

  std::string Field(const std::string& name, const std::string& field) {
    return fleet_.engine().Docker({"inspect", "--type", "container", "--format", field, name});
  }

  MiniFleet fleet_;
  std::string commit_;
  std::string web_;
  std::string quiet_;
};

TEST_F(DriftTest, ADetachedNetwork) {
  fleet_.engine().Docker({"network", "create", "front"});
  DeployPair("fl/app:1", "network = \"front\"\n");

  fleet_.engine().Docker({"network", "disconnect", "front", "web"});
  fleet_.engine().Docker({"network", "disconnect", "front", "quiet"});

  ExpectHealedAndReported("changed by hand: networks");
  EXPECT_THAT(Field("web", "{{json .NetworkSettings.Networks}}"), HasSubstr("\"front\""));
}

TEST_F(DriftTest, ARetaggedImage) {
  fleet_.engine().Docker({"tag", "fl/app:1", "fl/mine:1"});
  DeployPair("fl/mine:1");

  fleet_.engine().Docker({"tag", "fl/app:2", "fl/mine:1"});

  ExpectHealedAndReported("image (fl/mine:1 is another one on the host now)");
  EXPECT_EQ(fleet_.engine().Docker({"exec", "web", "cat", "/etc/image"}), "fl/app:2");
  // What the name stood for when the container was made is right again.
  fleet_.engine().Docker({"tag", "fl/app:1", "fl/mine:1"});
  EXPECT_OK(fleet_.WaitCondition("deployment/quiet", "CONVERGED"));
  EXPECT_OK(fleet_.WaitConverged(commit_));
  // A name that is gone says nothing.
  web_ = fleet_.engine().IdOf("web");
  fleet_.engine().Docker({"rmi", "fl/mine:1"});
  EXPECT_OK(HoldsFor("web stays", [&] { return fleet_.engine().IdOf("web") == web_; }, kRest));
}

TEST_F(DriftTest, AnImageThatDoesNotRunIsRolledBackOnce) {
  fleet_.engine().Docker({"tag", "fl/app:1", "fl/mine:1"});
  commit_ = fleet_.PushFile("web.toml", ToToml({.name = "web", .image = "fl/mine:1"}));
  ASSERT_OK(fleet_.WaitConverged(commit_));
  web_ = fleet_.engine().IdOf("web");

  fleet_.engine().Docker({"tag", "fl/exits:1", "fl/mine:1"});

  EXPECT_OK(WaitFor("the rollback", [&] {
    return absl::StrContains(fleet_.Cli({"events"}).out, "the old container is back");
  }));
  EXPECT_OK(WaitFor("the old web", [&] { return fleet_.engine().IdOf("web") == web_; }));
  EXPECT_OK(HoldsFor(
      "it is not tried again", [&] { return fleet_.engine().IdOf("web") == web_; }, kRest));
  EXPECT_OK(WaitFor("it runs", [&] { return Field("web", "{{.State.Status}}") == "running"; }));
  fleet_.engine().Docker({"rmi", "fl/mine:1"});
}

TEST_F(DriftTest, AContainerMadeAnewWithTheSameLabels) {
  DeployPair("fl/app:1");
  for (const std::string name : {"web", "quiet"}) {
    std::vector<std::string> again = {"run", "-d",      "--name",    name,
                                      "-e",  "BY=hand", "--restart", "unless-stopped"};
    for (const char* label : {"installation", "resource", "spec-hash", "action"}) {
      const std::string key = absl::StrCat("dev.fairlead.", label);
      again.emplace_back("--label");
      again.push_back(absl::StrCat(
          key, "=", Field(name, absl::StrCat("{{index .Config.Labels \"", key, "\"}}"))));
    }
    again.emplace_back("fl/app:1");
    // Held, so that nobody is faster than the hand.
    fleet_.Cli({"stop", absl::StrCat("deployment/", name), "--why", "by hand"});
    EXPECT_OK(WaitFor("the stop", [&] { return Field(name, "{{.State.Status}}") == "exited"; }));
    fleet_.engine().Docker({"rm", "-f", name});
    fleet_.engine().Docker(again);
    (name == "web" ? web_ : quiet_) = fleet_.engine().IdOf(name);
  }
  fleet_.Cli({"release", "deployment/web"});
  fleet_.Cli({"release", "deployment/quiet"});

  ExpectHealedAndReported("changed by hand: environment");
  EXPECT_THAT(Field("web", "{{.Config.Env}}"), Not(HasSubstr("BY=hand")));
}

TEST_F(DriftTest, APausedContainer) {
  DeployPair("fl/app:1");

  fleet_.engine().Docker({"pause", "web"});
  fleet_.engine().Docker({"pause", "quiet"});

  EXPECT_OK(WaitFor("web runs", [&] { return Field("web", "{{.State.Status}}") == "running"; }));
  EXPECT_EQ(fleet_.engine().IdOf("web"), web_);
  EXPECT_OK(fleet_.WaitStory("deployment/quiet", "is paused; heal = false leaves it"));
  EXPECT_EQ(Field("quiet", "{{.State.Status}}"), "paused");
  fleet_.engine().Docker({"unpause", "quiet"});
  EXPECT_OK(fleet_.WaitConverged(commit_));
}

class StackDriftTest : public DriftTest {
 protected:
  void Deploy(const std::string& head = "") {
    commit_ = fleet_.PushFile(
        "shop.toml",
        absl::StrCat("[[stack]]\nname = \"shop\"\n", head,
                     "[stack.config]\nserver = \"host-1\"\nauto_pull = false\n"
                     "min_ready = \"300ms\"\nfile_contents = '''\nversion: \"2.4\"\nservices:\n"
                     "  front:\n    image: fl/app:1\n    scale: 2\n  back:\n    image: fl/app:1\n"
                     "'''\n"));
    ASSERT_OK(fleet_.WaitConverged(commit_, absl::Seconds(90)));
    fronts_ = IdsOf("front");
    ASSERT_EQ(fronts_.size(), 2u);
    backs_ = IdsOf("back");
  }

  std::set<std::string> IdsOf(const std::string& service) {
    std::set<std::string> ids;
    for (const EngineContainer& one : fleet_.engine().Containers("stack/shop")) {
      if (absl::StrContains(one.name, service)) ids.insert(one.id);
    }
    return ids;
  }

  // As somebody who logged in to the host would.
  void Scale(int containers) {
    const std::string stack = absl::StrCat(fleet_.directory(), "/agent-1/stacks/shop");
    MustRun({"docker-compose", "-H", fleet_.engine().host(), "-p", "shop", "-f",
             absl::StrCat(stack, "/files/compose.yaml"), "-f",
             absl::StrCat(stack, "/override.json"), "up", "-d", "--no-recreate", "--no-deps",
             "--scale", absl::StrCat("front=", containers), "front"});
  }

  std::set<std::string> fronts_;
  std::set<std::string> backs_;
};

TEST_F(StackDriftTest, AServiceScaledUpAndDown) {
  Deploy();
  Scale(4);
  EXPECT_OK(
      WaitFor("two containers", [&] { return IdsOf("front").size() == 2; }, absl::Seconds(60)));
  EXPECT_OK(fleet_.WaitConverged(commit_));

  Scale(1);
  EXPECT_OK(WaitFor(
      "two containers again", [&] { return IdsOf("front").size() == 2; }, absl::Seconds(60)));
  EXPECT_OK(fleet_.WaitConverged(commit_));
  EXPECT_EQ(IdsOf("back"), backs_) << "only the service that was changed is touched";
}

TEST_F(StackDriftTest, IsOnlySaidWithoutHeal) {
  Deploy("heal = false\n");
  Scale(3);
  EXPECT_OK(fleet_.WaitStory("stack/shop", "service front: 3 of 2 containers"));
  EXPECT_OK(HoldsFor("nothing is done", [&] { return IdsOf("front").size() == 3; }, kRest));
}

TEST_F(StackDriftTest, ADetachedNetworkOfOneContainer) {
  Deploy();
  const std::string one = *fronts_.begin();
  fleet_.engine().Docker({"network", "disconnect", "shop_default", one});
  EXPECT_OK(WaitFor(
      "another container in its place",
      [&] {
        const std::set<std::string> now = IdsOf("front");
        return now.size() == 2 && !now.contains(one);
      },
      absl::Seconds(60)));
  EXPECT_OK(fleet_.WaitConverged(commit_));
  EXPECT_EQ(IdsOf("back"), backs_);
}

}  // namespace
}  // namespace fairlead::integration
