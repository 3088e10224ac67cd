// The container actions on another engine: podman behind its Docker-compatible socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr absl::Duration kLong = absl::Seconds(60);

// One podman of our own, in its own network namespace, with images fl/app:1, fl/app:2 and
// fl/exits:1 without health checks: podman leaves those to systemd's timers.
class Podman {
 public:
  Podman() : netns_(absl::StrCat("fairlead-podman-", ::getpid())) {
    // A unix socket's path ends at 107 bytes.
    std::string name = "/tmp/fairlead-podman-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ + "/containers.conf")
        << "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n"
        << "[network]\nnetwork_config_dir = \"" << directory_ << "/networks\"\n";
    MustRun({"ip", "netns", "add", netns_});
    MustRun({"ip", "-n", netns_, "link", "set", "lo", "up"});
  }
  ~Podman() {
    for (const std::string& id : Ids()) Docker({"rm", "-f", "--volumes", id});
    service_.Stop();
    RunCommand({"ip", "netns", "del", netns_});
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  Podman(const Podman&) = delete;
  Podman& operator=(const Podman&) = delete;

  absl::Status Start() {
    const std::string socket = directory_ + "/podman.sock";
    // runc, since crun takes no mixed cgroups; vfs, since overlay may lie on overlay here.
    const absl::Status started = service_.Start(
        {"nsenter",
         absl::StrCat("--net=/run/netns/", netns_),
         "podman",
         "--root",
         directory_ + "/data",
         "--runroot",
         directory_ + "/run",
         "--tmpdir",
         directory_ + "/tmp",
         "--storage-driver",
         "vfs",
         "--runtime",
         "runc",
         "--cgroup-manager",
         "cgroupfs",
         "--events-backend",
         "file",
         "system",
         "service",
         "--time",
         "0",
         absl::StrCat("unix://", socket)},
        directory_ + "/podman.log", {{"CONTAINERS_CONF", directory_ + "/containers.conf"}});
    if (!started.ok()) return started;
    host_ = absl::StrCat("unix://", socket);
    const absl::Status answers =
        WaitFor("podman to answer", [&] { return Docker({"version"}).exit_code == 0; });
    if (!answers.ok()) return answers;
    const std::string tool = FAIRLEAD_SOURCE_DIR "/tools/make_image";
    for (const char* image : {"fl/app:1", "fl/app:2"}) MustRun({tool, host_, image});
    MustRun({tool, host_, "fl/exits:1", "--cmd", "echo boom: bad option; exit 3"});
    return absl::OkStatus();
  }

  CommandResult Docker(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"docker", "-H", host_});
    return RunCommand(arguments);
  }
  std::vector<std::string> Ids() const {
    return absl::StrSplit(Docker({"ps", "-aq"}).out, '\n', absl::SkipEmpty());
  }
  // "fl/app:1 running" of the container with this name; "" when there is none.
  std::string Look(const std::string& name) const {
    const CommandResult result =
        Docker({"inspect", "--format", "{{.Config.Image}} {{.State.Status}}", name});
    return result.exit_code == 0 ? std::string(absl::StripAsciiWhitespace(result.out)) : "";
  }
  const std::string& host() const { return host_; }

 private:
  const std::string netns_;
  std::string directory_;
  std::string host_;
  Process service_;
};

class PodmanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || RunCommand({"podman", "--version"}).exit_code != 0) {
      GTEST_SKIP() << "needs root and Debian's podman; tools/install_packages brings it";
    }
    podman_ = std::make_unique<Podman>();
    ASSERT_OK(podman_->Start());
    fleet_ = std::make_unique<MiniFleet>(FleetOptions{.docker_host = podman_->host()});
    ASSERT_OK(fleet_->Start());
  }
  void TearDown() override { fleet_.reset(); }

  std::string Web(const std::string& image) const {
    return fleet_->PushFile(
        "web.toml", ToToml({.name = "web",
                            .image = image,
                            .config = "environment = \"MODE=fast\"\nvolumes = \"data: /data\"\n"
                                      "labels = \"team: edge\"\n"}));
  }
  absl::Status WaitLook(const std::string& name, const std::string& look) const {
    return WaitFor(
        absl::StrCat(name, " to be ", look),
        [&] { return absl::StrContains(podman_->Look(name), look); }, kLong);
  }

  std::unique_ptr<Podman> podman_;
  std::unique_ptr<MiniFleet> fleet_;
};

TEST_F(PodmanTest, ContainersAreMadeReplacedHealedAndRemoved) {
  ASSERT_OK(fleet_->WaitConverged(Web("fl/app:1"), kLong));
  EXPECT_THAT(podman_->Look("web"), HasSubstr("fl/app:1 running"));
  EXPECT_THAT(podman_->Docker({"inspect", "web"}).out, HasSubstr("MODE=fast"));

  ASSERT_OK(fleet_->WaitConverged(Web("fl/app:2"), kLong));
  EXPECT_THAT(podman_->Look("web"), HasSubstr("fl/app:2 running"));
  EXPECT_EQ(podman_->Look("web.fairlead-old"), "");

  podman_->Docker({"kill", "web"});
  ASSERT_OK(WaitLook("web", "running"));
  podman_->Docker({"rm", "-f", "web"});
  ASSERT_OK(WaitLook("web", "fl/app:2 running"));
  ASSERT_OK(fleet_->WaitCondition("deployment/web", "CONVERGED"));

  EXPECT_EQ(fleet_->Cli({"stop", "deployment/web"}).exit_code, 0);
  ASSERT_OK(WaitLook("web", "exited"));
  EXPECT_EQ(fleet_->Cli({"release", "deployment/web"}).exit_code, 0);
  ASSERT_OK(WaitLook("web", "running"));

  fleet_->PushRemoval("web.toml");
  ASSERT_OK(WaitFor("web to be removed", [&] { return podman_->Look("web").empty(); }, kLong));
}

TEST_F(PodmanTest, WhatFailsIsRolledBackWithItsLog) {
  ASSERT_OK(fleet_->WaitConverged(Web("fl/app:1"), kLong));
  Web("fl/exits:1");
  ASSERT_OK(fleet_->WaitCondition("deployment/web", "DEGRADED", kLong));
  ASSERT_OK(WaitLook("web", "fl/app:1 running"));
  EXPECT_OK(WaitFor(
      "the log of the failed one",
      [&] {
        return absl::StrContains(fleet_->Cli({"describe", "deployment/web"}).out,
                                 "boom: bad option");
      },
      kLong));
}

}  // namespace
}  // namespace fairlead::integration
