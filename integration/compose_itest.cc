// Stacks by both versions of compose, with the same outcome.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr absl::Duration kLong = absl::Seconds(90);

// The plugin of version 2, which Debian does not package: $FAIRLEAD_COMPOSE_V2, or as CheckTool.
std::string PluginOfVersion2() {
  const char* given = std::getenv("FAIRLEAD_COMPOSE_V2");
  return given != nullptr ? given : CheckTool("docker-compose");
}

// A configuration of docker's command line in which `docker compose` is version 2, or is not.
std::string DockerConfig(int version) {
  const std::string directory = absl::StrCat(FAIRLEAD_BINARY_DIR "/compose-", version);
  fs::create_directories(directory + "/cli-plugins");
  const std::string link = directory + "/cli-plugins/docker-compose";
  fs::remove(link);
  if (version == 2) fs::create_symlink(PluginOfVersion2(), link);
  return directory;
}

class ComposeTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (GetParam() == 2 && !fs::exists(PluginOfVersion2())) {
      GTEST_SKIP() << "compose v2 is not here; tools/check_tools builds it where Go's modules can "
                      "be reached";
    }
    fleet_ = std::make_unique<MiniFleet>(FleetOptions{
        .poll_interval = "1h", .agent_environment = {{"DOCKER_CONFIG", DockerConfig(GetParam())}}});
    ASSERT_OK(fleet_->Start());
  }

  std::string Stack(const std::string& config = "") const {
    return absl::StrCat(
        "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"host-1\"\n"
        "auto_pull = false\nmin_ready = \"300ms\"\nrun_directory = \"shop\"\n",
        config);
  }
  // `front` mounts a file and has `side` in its network; `back` stands alone.
  static std::string Compose(const std::string& front, bool with_back = true) {
    return absl::StrCat(
        "name: ignored\nservices:\n  front:\n    image: ", front,
        "\n    volumes:\n      - ./site.conf:/etc/site.conf:ro\n"
        "  side:\n    image: fl/app:1\n    network_mode: service:front\n",
        with_back ? "  back:\n    image: fl/app:1\n    environment:\n      MODE: ${MODE:-plain}\n"
                  : "");
  }
  std::string Commit(const std::string& compose, const std::string& site = "listen 1\n") {
    fleet_->repository().Write("shop/compose.yaml", compose);
    fleet_->repository().Write("shop/site.conf", site);
    return fleet_->PushFile("shop.toml", Stack());
  }
  std::string IdOf(absl::string_view service) const {
    for (const EngineContainer& one : fleet_->engine().Containers("stack/shop")) {
      // shop_front_1 or shop-front-1.
      const bool of_service = absl::StrContains(one.name, service);
      if (of_service && one.state == "running") return one.id;
    }
    return "";
  }
  std::size_t Count() const { return fleet_->engine().Containers("stack/shop").size(); }

  std::unique_ptr<MiniFleet> fleet_;
};

TEST_P(ComposeTest, OnlyWhatChangedIsTouched) {
  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:1")), kLong));
  const std::string front = IdOf("front");
  const std::string side = IdOf("side");
  const std::string back = IdOf("back");
  ASSERT_FALSE(front.empty() || side.empty() || back.empty());

  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:2")), kLong));
  const std::string second = IdOf("front");
  EXPECT_NE(second, front);
  EXPECT_NE(IdOf("side"), side) << "the network it shares went with front";
  EXPECT_EQ(IdOf("back"), back);

  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:2"), "listen 2\n"), kLong));
  EXPECT_NE(IdOf("front"), second) << "a file that it mounts is another";
  EXPECT_EQ(IdOf("back"), back);

  const std::string third = IdOf("front");
  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:2", false), "listen 2\n"), kLong));
  EXPECT_EQ(IdOf("back"), "");
  EXPECT_EQ(IdOf("front"), third);
  EXPECT_EQ(Count(), 2u);
}

TEST_P(ComposeTest, DriftOfServicesIsHealed) {
  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:1")), kLong));
  const std::string front = IdOf("front");
  const std::string back = IdOf("back");

  fleet_->engine().Docker({"rm", "-f", back});
  ASSERT_OK(WaitFor("back to be there again", [&] { return !IdOf("back").empty(); }, kLong));
  EXPECT_EQ(IdOf("front"), front);

  fleet_->engine().Docker({"stop", front});
  ASSERT_OK(WaitFor("front to run again", [&] { return !IdOf("front").empty(); }, kLong));
  ASSERT_OK(fleet_->WaitCondition("stack/shop", "CONVERGED"));
  EXPECT_EQ(Count(), 3u);
}

TEST_P(ComposeTest, WhatCannotBeResolvedLeavesWhatRuns) {
  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:1")), kLong));
  const std::string front = IdOf("front");
  Commit("services:\n  front:\n    image: fl/app:2\n    volums: []\n");
  EXPECT_OK(fleet_->WaitStory("stack/shop", "volums", kLong));
  EXPECT_EQ(IdOf("front"), front);
  EXPECT_EQ(Count(), 3u);
  EXPECT_THAT(fleet_->Cli({"events"}).out, AllOf(HasSubstr("stack/shop"), HasSubstr("volums")));

  ASSERT_OK(fleet_->WaitConverged(Commit(Compose("fl/app:3")), kLong));
  EXPECT_NE(IdOf("front"), front);
}

TEST_P(ComposeTest, TheEnvironmentAndProfilesAreCompose) {
  fleet_->repository().Write(
      "shop/compose.yaml",
      Compose("fl/app:1") + "  extra:\n    image: fl/app:1\n    profiles: [more]\n");
  fleet_->repository().Write("shop/site.conf", "listen 1\n");
  ASSERT_OK(fleet_->WaitConverged(
      fleet_->PushFile("shop.toml", Stack("environment = \"MODE = fast\"\n")), kLong));
  EXPECT_EQ(IdOf("extra"), "");
  EXPECT_THAT(fleet_->engine().Docker({"inspect", IdOf("back")}), HasSubstr("MODE=fast"));
  const std::string back = IdOf("back");

  ASSERT_OK(fleet_->WaitConverged(
      fleet_->PushFile("shop.toml", Stack("environment = \"\"\"\nMODE = fast\n"
                                          "COMPOSE_PROFILES = more\n\"\"\"\n")),
      kLong));
  EXPECT_NE(IdOf("extra"), "");
  EXPECT_EQ(IdOf("back"), back);
}

INSTANTIATE_TEST_SUITE_P(Versions, ComposeTest, ::testing::Values(1, 2),
                         [](const auto& version) { return absl::StrCat("V", version.param); });

}  // namespace
}  // namespace fairlead::integration
