// Mutual TLS between controller, agent and CLI, with certificates made by openssl.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/authority.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    engine_.Clear();
    directory_ = absl::StrCat(FAIRLEAD_BINARY_DIR, "/itest/tls");
    RunCommand({"rm", "-rf", directory_});
    ASSERT_OK(base::MakeDirectories(directory_));
    authority_ = std::make_unique<Authority>(directory_);
    authority_->Issue("controller", "DNS:localhost,IP:127.0.0.1");
    authority_->Issue("host-1", "URI:fairlead://server/host-1");
    authority_->Issue("person", "URI:fairlead://person/anna");
    grpc_ = absl::StrCat("127.0.0.1:", FreePort());
    ASSERT_OK(base::WriteFileAtomically(File("bootstrap.toml"), "[[server]]\nname = \"host-1\"\n"));
    ASSERT_OK(controller_.Start(
        authority_->WithTls(
            {ProgramPath("fairlead-controller"), "--listen", grpc_, "--http-listen", "127.0.0.1:0",
             "--data-dir", File("controller"), "--bootstrap", File("bootstrap.toml")},
            "controller"),
        File("controller.log")));
    ASSERT_OK(WaitFor("the controller", [&] {
      return base::ReadFile(File("controller/endpoints.json")).ok() || !controller_.Running();
    }));
    ASSERT_TRUE(controller_.Running()) << TailOf(controller_.log(), 10);
  }

  void TearDown() override {
    if (HasFailure()) {
      ADD_FAILURE() << TailOf(File("controller.log"), 20) << TailOf(File("agent.log"), 20);
    }
  }

  std::string File(const std::string& name) const { return absl::StrCat(directory_, "/", name); }

  absl::Status StartAgent(const std::string& name, const std::string& certificate) {
    return agent_.Start(
        authority_->WithTls({ProgramPath("fairlead-agent"), "--controller", grpc_, "--name", name,
                             "--data-dir", File("agent-" + name), "--docker-host", engine_.host()},
                            certificate),
        File("agent.log"));
  }

  CommandResult Status(const std::string& who) const {
    std::vector<std::string> argv = {ProgramPath("fairlead")};
    argv = authority_->WithTls(argv, who);
    argv.insert(argv.end(), {"--controller", grpc_, "status"});
    return RunCommand(argv);
  }

  Engine& engine_ = Engine::Shared(1);
  std::string directory_;
  std::unique_ptr<Authority> authority_;
  std::string grpc_;
  Process controller_;
  Process agent_;
};

TEST_F(TlsTest, TheRightCertificateConnects) {
  ASSERT_OK(StartAgent("host-1", "host-1"));
  EXPECT_OK(
      WaitFor("host-1 online", [&] { return absl::StrContains(Status("person").out, "online"); }));
}

TEST_F(TlsTest, AnotherServersCertificateIsRefused) {
  ASSERT_OK(StartAgent("host-1", "person"));
  EXPECT_OK(WaitFor("the refusal in the agent's log", [&] {
    return absl::StrContains(base::ReadFile(File("agent.log")).value_or(""),
                             "fairlead://person/anna");
  }));
  EXPECT_FALSE(absl::StrContains(Status("person").out, "online"));
}

// The whole way of a host: a token, its certificate, and a container on it.
TEST_F(TlsTest, AnAgentJoinsWithATokenAndIsDeployedTo) {
  std::vector<std::string> argv = authority_->WithTls({ProgramPath("fairlead")}, "person");
  const auto run = [&argv, this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--controller", grpc_});
    arguments.insert(arguments.begin(), argv.begin(), argv.end());
    return RunCommand(arguments);
  };
  const CommandResult token = run({"agent", "token", "--server", "host-1"});
  ASSERT_EQ(token.exit_code, 0) << token.err;
  ASSERT_OK(base::WriteFileAtomically(File("token"), token.out));
  const std::vector<std::string> agent = {ProgramPath("fairlead-agent"),
                                          "--controller",
                                          grpc_,
                                          "--name",
                                          "host-1",
                                          "--data-dir",
                                          File("joined"),
                                          "--docker-host",
                                          engine_.host()};
  std::vector<std::string> joining = agent;
  joining.insert(joining.end(), {"--join", "@" + File("token"), "--allow-mount", "/srv"});
  ASSERT_OK(agent_.Start(joining, File("agent.log")));
  ASSERT_OK(
      WaitFor("host-1 online", [&] { return absl::StrContains(run({"status"}).out, "online"); }));
  EXPECT_THAT(run({"agent", "list"}).out, HasSubstr("host-1"));

  ASSERT_OK(base::WriteFileAtomically(
      File("deployments.toml"),
      absl::StrCat("[[deployment]]\nname = \"good\"\n[deployment.config]\nserver = \"host-1\"\n",
                   "image = { type = \"Image\", params = { image = \"fl/app:1\" } }\n",
                   "[[deployment]]\nname = \"bad\"\n[deployment.config]\nserver = \"host-1\"\n",
                   "image = { type = \"Image\", params = { image = \"fl/app:1\" } }\n",
                   "volumes = \"/etc:/host-etc\"\n")));
  const CommandResult applied = run({"apply", "-f", File("deployments.toml")});
  ASSERT_EQ(applied.exit_code, 0) << applied.out << applied.err;
  EXPECT_OK(WaitFor("good to run", [&] {
    return absl::StrContains(run({"describe", "deployment/good"}).out, "converged");
  }));
  EXPECT_OK(WaitFor("bad to be refused by the host", [&] {
    return absl::StrContains(run({"describe", "deployment/bad"}).out, "--allow-mount");
  })) << run({"describe", "deployment/bad"}).out;

  // Another host with the same token, and this one once it is revoked.
  std::vector<std::string> thief = joining;
  thief[6] = File("thief");
  const CommandResult stolen = RunCommand(thief);
  EXPECT_EQ(stolen.exit_code, 1);
  EXPECT_THAT(stolen.err, HasSubstr("was used already"));
  EXPECT_EQ(run({"agent", "revoke", "host-1", "--why", "test"}).exit_code, 0);
  EXPECT_OK(WaitFor("the agent to know why", [&] {
    return absl::StrContains(base::ReadFile(File("agent.log")).value_or(""), "was revoked");
  }));
  EXPECT_OK(WaitFor("host-1 offline",
                    [&] { return absl::StrContains(run({"agent", "list"}).out, "revoked"); }));
}

TEST_F(TlsTest, WithoutACertificateNothingAnswers) {
  const CommandResult plain =
      RunCommand({ProgramPath("fairlead"), "--controller", grpc_, "--timeout", "5s", "status"});
  EXPECT_EQ(plain.exit_code, 1);
  EXPECT_THAT(plain.err, HasSubstr(grpc_));
}

}  // namespace
}  // namespace fairlead::integration
