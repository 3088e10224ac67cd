// fairlead agent, against a service of agents on a real port.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"

#include "cli/testing/command_test.h"
#include "fairlead/v1/enrolment.grpc.pb.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Answers and errors are set before the call; requests are read after it.
class AgentsOfTest final : public v1::AgentAdminService::Service {
 public:
  grpc::Status CreateToken(grpc::ServerContext*, const v1::CreateTokenRequest* request,
                           v1::CreateTokenResponse* response) override {
    create_request = *request;
    *response = create;
    return error;
  }
  grpc::Status ListAgents(grpc::ServerContext*, const v1::ListAgentsRequest*,
                          v1::ListAgentsResponse* response) override {
    *response = list;
    return error;
  }
  grpc::Status RevokeAgent(grpc::ServerContext*, const v1::RevokeAgentRequest* request,
                           v1::RevokeAgentResponse* response) override {
    revoke_request = *request;
    *response = revoke;
    return error;
  }
  grpc::Status RotateAgents(grpc::ServerContext*, const v1::RotateAgentsRequest* request,
                            v1::RotateAgentsResponse* response) override {
    rotate_request = *request;
    *response = rotate;
    return error;
  }

  grpc::Status error;
  v1::CreateTokenResponse create;
  v1::ListAgentsResponse list;
  v1::RevokeAgentResponse revoke;
  v1::RotateAgentsResponse rotate;
  v1::CreateTokenRequest create_request;
  v1::RevokeAgentRequest revoke_request;
  v1::RotateAgentsRequest rotate_request;
};

class AgentCommandTest : public CommandTest {
 protected:
  AgentCommandTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&agents_);
    server_ = builder.BuildAndStart();
    variables_["FAIRLEAD_CONTROLLER"] = absl::StrCat("127.0.0.1:", port);
  }

  AgentsOfTest agents_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AgentCommandTest, TheTokenAloneGoesToStandardOutput) {
  agents_.create.set_token("fl1.abc.id.secret");
  agents_.create.mutable_expires()->set_seconds(1'700'000'000);
  const Outcome outcome = RunCommand({"agent", "token", "--server", "web-1", "--expires", "2d"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "fl1.abc.id.secret\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("Good for one agent as web-1"),
                                 HasSubstr("--join TOKEN --name web-1")));
  EXPECT_EQ(agents_.create_request.server(), "web-1");
  EXPECT_FALSE(agents_.create_request.multi_use());
  EXPECT_EQ(agents_.create_request.expires_in().seconds(), 2 * 24 * 3600);
}

TEST_F(AgentCommandTest, ATokenForMany) {
  agents_.create.set_token("t");
  EXPECT_EQ(RunCommand({"agent", "token", "--tag", "edge", "--multi-use"}).code, 0);
  EXPECT_EQ(agents_.create_request.tag(), "edge");
  EXPECT_TRUE(agents_.create_request.multi_use());
  EXPECT_EQ(agents_.create_request.expires_in().seconds(), 3600);
}

TEST_F(AgentCommandTest, OptionsThatDoNotGoTogetherAreRefused) {
  EXPECT_THAT(RunCommand({"agent", "token", "--server", "a", "--tag", "b"}).err,
              HasSubstr("exclude each other"));
  EXPECT_THAT(RunCommand({"agent", "token", "--expires", "soon"}).err, HasSubstr("--expires"));
  EXPECT_THAT(RunCommand({"agent", "rotate"}).err, HasSubstr("name a server, or give --all"));
  EXPECT_THAT(RunCommand({"agent", "rotate", "a", "--all"}).err, HasSubstr("name a server"));
  EXPECT_EQ(RunCommand({"agent"}).code, 1);
}

TEST_F(AgentCommandTest, TheListShowsWhoTheyAre) {
  EXPECT_THAT(RunCommand({"agent", "list"}).out, HasSubstr("no agents"));
  v1::AgentView& good = *agents_.list.add_agents();
  good.set_server("web-1");
  good.set_state("online");
  good.set_serial("0123456789abcdef0123");
  good.set_version("1.2.3");
  good.set_address("ipv4:192.0.2.7:4000");
  good.mutable_not_after()->set_seconds(1'700'000'000);
  v1::AgentView& bad = *agents_.list.add_agents();
  bad.set_server("web-2\x1b[2J");
  bad.set_state("revoked");
  bad.set_serial("ff");
  bad.set_reason("by ann: stolen");
  const Outcome outcome = RunCommand({"agent", "list"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("web-1"), HasSubstr("online"), HasSubstr("0123456789ab"),
                                 HasSubstr("2023-11-14"), HasSubstr("192.0.2.7"),
                                 HasSubstr("by ann: stolen"), Not(HasSubstr("\x1b"))));
  EXPECT_THAT(RunCommand({"agent", "list", "-o", "json"}).out, HasSubstr("\"serial\": \"ff\""));
}

TEST_F(AgentCommandTest, RevokingAndRotatingNameTheirServer) {
  agents_.revoke.add_revoked("ff");
  const Outcome revoked = RunCommand({"agent", "revoke", "web-1", "--why", "stolen"});
  EXPECT_THAT(revoked.out, HasSubstr("revoked 1 certificate of web-1"));
  EXPECT_EQ(agents_.revoke_request.why(), "stolen");
  agents_.rotate.add_servers("web-1");
  agents_.rotate.add_servers("web-2");
  EXPECT_THAT(RunCommand({"agent", "rotate", "--all"}).out,
              HasSubstr("2 agents are asked for a new key: web-1, web-2"));
  EXPECT_EQ(agents_.rotate_request.server(), "");
}

TEST_F(AgentCommandTest, WhatTheControllerRefusesIsSaid) {
  agents_.error = grpc::Status(grpc::StatusCode::NOT_FOUND, "server \"x\" has no certificate");
  const Outcome outcome = RunCommand({"agent", "revoke", "x"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("server \"x\" has no certificate"));
}

}  // namespace
}  // namespace fairlead::cli
