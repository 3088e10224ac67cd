// Controller and agent as users of their own, as the units of packaging/systemd run them.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/engine.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Nobody's: the numbers stand in no file of users.
constexpr uid_t kController = 64'101;
constexpr uid_t kAgent = 64'102;
constexpr gid_t kSocketGroup = 64'103;

// A folder that every user reaches, with the programs and the engine's socket in it, wherever the
// build folder lies. Needs root.
class ServiceUserTest : public testing::Test {
 protected:
  ServiceUserTest() {
    std::string name = "/tmp/fairlead-users-XXXXXX";
    root_ = mkdtemp(name.data());
    EXPECT_EQ(chmod(root_.c_str(), 0755), 0);
    const std::string program = ProgramPath("fairlead-agent");
    Show(std::filesystem::path(program).parent_path().string(), Folder("bin", 0, 0755));
    EXPECT_OK(base::WriteFileAtomically(File("docker.sock"), ""));
    const std::string socket = engine_.host().substr(std::string("unix://").size());
    EXPECT_EQ(chown(socket.c_str(), 0, kSocketGroup), 0);
    EXPECT_EQ(chmod(socket.c_str(), 0660), 0);
    Show(socket, File("docker.sock"));
    engine_.Clear();
  }
  ~ServiceUserTest() override {
    if (HasFailure()) {
      for (const char* log : {"controller.log", "agent.log"}) {
        std::cerr << "--- " << log << "\n" << TailOf(File(log), 30) << "\n";
      }
    }
    agent_.Kill();
    controller_.Kill();
    for (const std::string& shown : shown_) umount2(shown.c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  std::string File(const std::string& name) const { return absl::StrCat(root_, "/", name); }
  std::string Folder(const std::string& name, uid_t owner, mode_t mode) const {
    const std::string folder = File(name);
    EXPECT_EQ(mkdir(folder.c_str(), mode), 0);
    EXPECT_EQ(chmod(folder.c_str(), mode), 0);
    EXPECT_EQ(chown(folder.c_str(), owner, owner), 0);
    return folder;
  }
  void Show(const std::string& what, const std::string& where) {
    EXPECT_EQ(mount(what.c_str(), where.c_str(), nullptr, MS_BIND, nullptr), 0);
    shown_.push_back(where);
  }

  // `groups` besides its own; without capabilities, and none to be had.
  static std::vector<std::string> As(uid_t user, const std::string& groups,
                                     std::vector<std::string> argv) {
    std::vector<std::string> all = {"setpriv",
                                    absl::StrCat("--reuid=", user),
                                    absl::StrCat("--regid=", user),
                                    groups.empty() ? "--clear-groups" : "--groups=" + groups,
                                    "--inh-caps=-all",
                                    "--bounding-set=-all",
                                    "--no-new-privs"};
    all.insert(all.end(), argv.begin(), argv.end());
    return all;
  }
  std::vector<std::string> Controller(const std::string& data) const {
    return As(kController, "",
              {File("bin/fairlead-controller"), "--dev", "--listen", "127.0.0.1:0", "--http-listen",
               "127.0.0.1:0", "--data-dir", data});
  }
  std::vector<std::string> Agent(const std::string& groups) const {
    return As(kAgent, groups,
              {File("bin/fairlead-agent"), "--dev", "--controller", grpc_, "--name", "host-1",
               "--data-dir", File("agent"), "--docker-host", "unix://" + File("docker.sock")});
  }
  absl::Status StartController() {
    const std::string data = Folder("controller", kController, 0700);
    const absl::Status started = controller_.Start(Controller(data), File("controller.log"));
    if (!started.ok()) return started;
    return WaitFor("the controller's endpoints", [&] {
      std::error_code failed;
      const auto text = base::ReadFile(data + "/endpoints.json");
      if (!text.ok()) return false;
      const boost::json::object found = MiniFleet::AsObject(boost::json::parse(*text, failed));
      const boost::json::value* const grpc = found.if_contains("grpc");
      if (grpc == nullptr) return false;
      grpc_ = std::string(grpc->as_string().c_str());
      return true;
    });
  }
  CommandResult Cli(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {ProgramPath("fairlead"), "--controller", grpc_});
    return RunCommand(arguments, {{"NO_COLOR", "1"}});
  }
  absl::Status Apply(const std::string& toml) const {
    const absl::Status written = base::WriteFileAtomically(File("all.toml"), toml);
    if (!written.ok()) return written;
    const CommandResult applied = Cli({"apply", "-f", File("all.toml")});
    return applied.exit_code == 0 ? absl::OkStatus()
                                  : absl::InternalError(applied.out + applied.err);
  }

  Engine& engine_ = Engine::Shared(1);
  std::string root_;
  std::vector<std::string> shown_;
  std::string grpc_;
  Process controller_;
  Process agent_;
};

// Lines of /proc/PID/status that say who a process is and what it may do.
std::string RightsOf(pid_t pid) {
  std::string rights;
  const std::string text = base::ReadFile(absl::StrCat("/proc/", pid, "/status")).value_or("");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    for (const char* field : {"Uid:", "CapEff:", "CapBnd:", "NoNewPrivs:"}) {
      if (absl::StartsWith(line, field)) absl::StrAppend(&rights, line, "\n");
    }
  }
  return rights;
}

std::string RightsWithoutAny(uid_t user) {
  return absl::StrCat("Uid:\t", user, "\t", user, "\t", user, "\t", user,
                      "\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n");
}

constexpr char kServer[] = "[[server]]\nname = \"host-1\"\n";

TEST_F(ServiceUserTest, ADeploymentConvergesWithoutRoot) {
  ASSERT_OK(StartController());
  Folder("agent", kAgent, 0700);
  ASSERT_OK(agent_.Start(Agent(std::to_string(kSocketGroup)), File("agent.log")));
  ASSERT_OK(Apply(absl::StrCat(kServer, ToToml({.name = "web"}))));
  EXPECT_OK(WaitFor("web to have converged", [&] {
    return absl::StrContains(Cli({"describe", "deployment/web"}).out, "converged");
  })) << Cli({"describe", "deployment/web"}).out;
  EXPECT_EQ(engine_.Containers("deployment/web").size(), 1);
  EXPECT_EQ(RightsOf(controller_.pid()), RightsWithoutAny(kController));
  EXPECT_EQ(RightsOf(agent_.pid()), RightsWithoutAny(kAgent));
}

TEST_F(ServiceUserTest, WithoutTheSocketsGroupTheHostSaysSo) {
  ASSERT_OK(StartController());
  Folder("agent", kAgent, 0700);
  ASSERT_OK(agent_.Start(Agent(""), File("agent.log")));
  ASSERT_OK(Apply(absl::StrCat(kServer, ToToml({.name = "web"}))));
  std::string said;
  EXPECT_OK(WaitFor("the reason to be shown", [&] {
    said = Cli({"status"}).out + Cli({"describe", "server/host-1"}).out;
    return absl::StrContains(said, "group of that socket");
  })) << said;
  EXPECT_THAT(engine_.Containers("deployment/web"), testing::IsEmpty());
}

TEST_F(ServiceUserTest, AFolderOfRootIsRefusedByName) {
  const std::string data = Folder("roots", 0, 0700);
  const CommandResult controller = RunCommand(Controller(data));
  EXPECT_EQ(controller.exit_code, 1);
  EXPECT_THAT(controller.err, AllOf(HasSubstr(data), HasSubstr("Permission denied")));
  grpc_ = "127.0.0.1:1";
  Folder("agent", 0, 0700);
  const CommandResult agent = RunCommand(Agent(""));
  EXPECT_EQ(agent.exit_code, 1);
  EXPECT_THAT(agent.err, AllOf(HasSubstr(File("agent")), HasSubstr("Permission denied")));
}

}  // namespace
}  // namespace fairlead::integration
