// A whole controller with TLS, and the agent's side of joining, on real connections.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/connection.h"
#include "agent/enrolment.h"
#include "base/certificate.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/testing/simulated_clock.h"
#include "controller/controller.h"
#include "controller/store/testing/temporary_folder.h"
#include "fairlead/v1/enrolment.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kFiles[] = R"(
[[server]]
name = "web-1"
tags = ["edge"]
[[server]]
name = "web-2"
)";

// An agent as far as the stream shows one: says Hello, keeps what it is told.
class StreamAgent {
 public:
  StreamAgent(const std::string& address, const agent::IdentityFiles& files, std::string server,
              base::Clock& clock)
      : server_(std::move(server)),
        keeper_({.controller = address, .files = files, .on_renewed = [this] { Renewed(); }},
                clock),
        connection_({.address = address,
                     .joined = files,
                     .on_lost = [this] { keeper_.Look(); },
                     .backoff = {.initial = absl::Milliseconds(20), .maximum = absl::Seconds(1)}},
                    clock, base::Random::Real()) {
    keeper_.Start();
    connection_.Start(
        {.on_connected = [this](agent::Connection::StreamId stream) { SayHello(stream); },
         .on_message =
             [this](agent::Connection::StreamId, const v1::ControllerMessage& message) {
               if (message.has_welcome()) Note("welcome");
               if (message.has_goodbye()) Note("goodbye " + message.goodbye().message());
             },
         .on_disconnected = [](agent::Connection::StreamId) {}});
  }
  ~StreamAgent() {
    keeper_.Stop();
    connection_.Stop();
  }

  // Waits for a word that has `part`, and forgets what came until then; the word.
  std::string Until(const std::string& part) {
    base::MutexLock lock(mutex_);
    const absl::Time end = base::Clock::Real().Now() + absl::Seconds(30);
    while (true) {
      for (std::size_t i = 0; i < words_.size(); ++i) {
        if (words_[i].find(part) == std::string::npos) continue;
        std::string word = words_[i];
        words_.erase(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        return word;
      }
      const absl::Duration left = end - base::Clock::Real().Now();
      if (left <= absl::ZeroDuration()) return "did not come: " + part;
      changed_.WaitFor(mutex_, left);
    }
  }

 private:
  void SayHello(agent::Connection::StreamId stream) {
    v1::AgentMessage message;
    message.mutable_hello()->set_server(server_);
    message.mutable_hello()->set_instance_id("instance");
    message.mutable_hello()->set_version("1");
    message.mutable_hello()->set_protocol(1);
    connection_.Send(stream, message);
  }
  void Renewed() {
    Note("renewed");
    connection_.Redial();
  }
  void Note(std::string word) {
    base::MutexLock lock(mutex_);
    words_.push_back(std::move(word));
    changed_.SignalAll();
  }

  const std::string server_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::string> words_ ABSL_GUARDED_BY(mutex_);
  agent::IdentityKeeper keeper_;
  agent::Connection connection_;
};

class EnrolmentPairTest : public ::testing::Test {
 protected:
  EnrolmentPairTest() { Start(); }

  void Start() {
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.data_dir = folder_.File("data");
    options.clock = &clock_;
    auto controller = Controller::Start(options);
    ASSERT_TRUE(controller.ok()) << controller.status();
    controller_ = *std::move(controller);
    address_ = controller_->grpc_address();
    admin_ = v1::AgentAdminService::NewStub(ChannelOf(Person()));
    resources_ = v1::ResourceService::NewStub(ChannelOf(Person()));
  }

  std::string Data(const std::string& name) const {
    return base::ReadFile(folder_.File("data/" + name)).value();
  }
  // A certificate of the authority in the data directory, whose key is the operator's.
  agent::ClientIdentity Person() const {
    agent::ClientIdentity person;
    person.key = base::MakePrivateKey().value();
    person.certificate = base::IssueCertificate({.common_name = "ann",
                                                 .uris = {"fairlead://person/ann"},
                                                 .not_before = clock_.Now() - absl::Hours(1),
                                                 .not_after = clock_.Now() + absl::Hours(9000)},
                                                person.key, Data("tls/ca.crt"), Data("tls/ca.key"))
                             .value();
    return person;
  }
  std::shared_ptr<grpc::Channel> ChannelOf(const agent::ClientIdentity& client) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        address_,
        agent::MakeTrustingCredentials(
            {.authorities = Data("tls/ca.crt"), .fingerprint = "", .address = address_}, client,
            clock_, std::make_shared<agent::HandshakeVerdict>()),
        arguments);
  }
  grpc::Status Status(const agent::ClientIdentity& client) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetStatusResponse response;
    return v1::SyncService::NewStub(ChannelOf(client))->GetStatus(&context, {}, &response);
  }

  std::string Token(const std::string& server, const std::string& tag = "") {
    v1::CreateTokenRequest request;
    request.set_server(server);
    request.set_tag(tag);
    v1::CreateTokenResponse response;
    grpc::ClientContext context;
    const grpc::Status status = admin_->CreateToken(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.token();
  }
  agent::IdentityFiles Files(const std::string& name) const {
    return agent::IdentityFilesIn(folder_.File("agent-" + name));
  }
  absl::Status Join(const std::string& token, const std::string& server,
                    const base::Clock* clock = nullptr) {
    return agent::Join({.token = agent::ParseJoinToken(token).value(),
                        .controller = address_,
                        .server = server,
                        .files = Files(server)},
                       clock == nullptr ? clock_ : *clock);
  }
  agent::ClientIdentity Joined(const std::string& server) {
    return agent::LoadIdentity(Files(server)).value().client;
  }
  std::vector<v1::AgentView> Agents() {
    v1::ListAgentsResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(admin_->ListAgents(&context, {}, &response).ok());
    return {response.agents().begin(), response.agents().end()};
  }
  grpc::Status Revoke(const std::string& server, const std::string& why) {
    v1::RevokeAgentRequest request;
    request.set_server(server);
    request.set_why(why);
    v1::RevokeAgentResponse response;
    grpc::ClientContext context;
    return admin_->RevokeAgent(&context, request, &response);
  }
  // Messages of the events so far, each with its type.
  std::vector<std::string> Events() {
    // What was told before is in the store when this comes back: the loop takes things in turn.
    v1::ApplyRequest apply;
    v1::ApplyResponse applied;
    v1::SourceFile& file = *apply.add_files();
    file.set_path("all.toml");
    file.set_content(kFiles);
    grpc::ClientContext first;
    EXPECT_TRUE(resources_->Apply(&first, apply, &applied).ok());
    grpc::ClientContext context;
    const auto stub = v1::EventService::NewStub(ChannelOf(Person()));
    const auto reader = stub->Watch(&context, {});
    std::vector<std::string> events;
    v1::WatchResponse response;
    while (reader->Read(&response)) {
      if (!response.has_event()) continue;
      events.push_back(response.event().type() + ": " + response.event().message());
    }
    EXPECT_TRUE(reader->Finish().ok());
    return events;
  }

  base::SimulatedClock clock_;
  store::TemporaryFolder folder_;
  std::unique_ptr<Controller> controller_;
  std::string address_;
  std::unique_ptr<v1::AgentAdminService::Stub> admin_;
  std::unique_ptr<v1::ResourceService::Stub> resources_;
};

TEST_F(EnrolmentPairTest, AnAgentJoinsAndConnects) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  EXPECT_EQ(agent.Until("welcome"), "welcome");
  const auto agents = Agents();
  ASSERT_THAT(agents, SizeIs(1));
  EXPECT_EQ(agents[0].server(), "web-1");
  EXPECT_EQ(agent::ServerOf(Joined("web-1").certificate).value(), "web-1");
  EXPECT_THAT(agent::ServerOf(Person().certificate).status().message(),
              HasSubstr("is not an agent's"));
  EXPECT_EQ(agents[0].state(), "online");
  EXPECT_THAT(agents[0].address(), HasSubstr("127.0.0.1"));
}

TEST_F(EnrolmentPairTest, AnAgentTriesEachOfItsAddresses) {
  const std::string token = Token("web-1");
  // Nobody listens on the first one.
  address_ = "127.0.0.1:1," + address_;
  ASSERT_TRUE(Join(token, "web-1").ok());
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  EXPECT_EQ(agent.Until("welcome"), "welcome");
}

TEST_F(EnrolmentPairTest, TokensAreGoodOnceInTimeAndForTheirName) {
  const std::string token = Token("web-1");
  EXPECT_THAT(Join(token, "web-2").message(), HasSubstr("is for server \"web-1\""));
  ASSERT_TRUE(Join(token, "web-1").ok());
  EXPECT_THAT(Join(token, "web-1").message(), HasSubstr("was used already"));
  const std::string late = Token("web-1");
  clock_.Advance(absl::Hours(2));
  EXPECT_THAT(Join(late, "web-1").message(), HasSubstr("has expired"));
  EXPECT_THAT(Events(),
              AllOf(Contains(AllOf(HasSubstr("agent-enrol-refused: enrol refused for server/web-1"),
                                   HasSubstr("was used already"))),
                    Contains(AllOf(HasSubstr("agent-enrol-refused"), HasSubstr("has expired"))),
                    Contains(HasSubstr("agent-enrol: enrol for server/web-1"))));
}

TEST_F(EnrolmentPairTest, ATagIsThatOfTheDeclaration) {
  EXPECT_THAT(Join(Token("", "edge"), "web-1").message(), HasSubstr("is not declared with it"));
  Events();
  EXPECT_TRUE(Join(Token("", "edge"), "web-1").ok());
  EXPECT_THAT(Join(Token("", "edge"), "web-2").message(), HasSubstr("is not declared with it"));
}

TEST_F(EnrolmentPairTest, AnotherControllerGetsNoToken) {
  std::string token = Token("web-1");
  // Another fingerprint in the token is another controller at the address.
  token[10] = token[10] == 'A' ? 'B' : 'A';
  EXPECT_THAT(Join(token, "web-1").message(),
              HasSubstr("this is not the controller that made the token"));
  EXPECT_TRUE(absl::IsNotFound(agent::LoadIdentity(Files("web-1")).status()));
}

TEST_F(EnrolmentPairTest, AClockThatIsOffIsSaidWithoutSpendingTheToken) {
  const std::string token = Token("web-1");
  const base::SimulatedClock late(clock_.Now() - absl::Hours(24));
  EXPECT_THAT(Join(token, "web-1", &late).message(),
              HasSubstr("the clock of this host is 24h behind the controller's"));
  EXPECT_TRUE(Join(token, "web-1").ok());
}

TEST_F(EnrolmentPairTest, WithoutIdentityOnlyJoiningIsPossible) {
  EXPECT_EQ(Status({}).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(Status(Person()).ok());
  const auto stub = v1::AgentAdminService::NewStub(ChannelOf({}));
  v1::CreateTokenResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub->CreateToken(&context, {}, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  const auto enrolment = v1::EnrolmentService::NewStub(ChannelOf({}));
  v1::EnrolResponse renewed;
  grpc::ClientContext renewal;
  EXPECT_EQ(enrolment->Renew(&renewal, {}, &renewed).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(EnrolmentPairTest, AnAgentIsNoPerson) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  EXPECT_EQ(Status(Joined("web-1")).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  const auto stub = v1::AgentAdminService::NewStub(ChannelOf(Joined("web-1")));
  v1::CreateTokenResponse response;
  grpc::ClientContext context;
  EXPECT_EQ(stub->CreateToken(&context, {}, &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(EnrolmentPairTest, ACertificateSpeaksForItsServerOnly) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  StreamAgent agent(address_, Files("web-1"), "web-2", clock_);
  EXPECT_THAT(agent.Until("goodbye"), HasSubstr("says it is server \"web-2\" but its certificate "
                                                "is for \"web-1\""));
  EXPECT_THAT(Events(), Contains(HasSubstr("its certificate is for \"web-1\"")));
}

TEST_F(EnrolmentPairTest, ASelfMadeAuthorityIsRefusedAndNoted) {
  const std::string key = base::MakePrivateKey().value();
  const base::CertificateTerms terms{.common_name = "web-1",
                                     .uris = {"fairlead://server/web-1"},
                                     .not_before = clock_.Now() - absl::Hours(1),
                                     .not_after = clock_.Now() + absl::Hours(1)};
  const agent::ClientIdentity forged{
      .certificate = base::IssueCertificate(terms, key, "", key).value(), .key = key};
  EXPECT_EQ(Status(forged).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(Events(), Contains(AllOf(HasSubstr("agent-connect-refused"),
                                       HasSubstr("server/web-1"), HasSubstr("not known here"))));
}

TEST_F(EnrolmentPairTest, RevokingEndsTheSessionAtOnce) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  ASSERT_EQ(agent.Until("welcome"), "welcome");
  ASSERT_TRUE(Revoke("web-1", "stolen").ok());
  EXPECT_THAT(agent.Until("goodbye"), HasSubstr("was revoked by operator: stolen"));
  EXPECT_EQ(Status(Joined("web-1")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Agents()[0].state(), "revoked");
}

TEST_F(EnrolmentPairTest, ARevokedAgentLearnsItAndJoinsAgain) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const agent::JoinedIdentity before = agent::LoadIdentity(Files("web-1")).value();
  const auto good = agent::AskRefusal(before, address_, clock_);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(*good, "");
  ASSERT_TRUE(Revoke("web-1", "stolen").ok());
  const auto refused = agent::AskRefusal(before, address_, clock_);
  ASSERT_TRUE(refused.ok()) << refused.status();
  EXPECT_THAT(*refused, HasSubstr("was revoked: by operator: stolen"));
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const auto again =
      agent::AskRefusal(agent::LoadIdentity(Files("web-1")).value(), address_, clock_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, "");
}

TEST_F(EnrolmentPairTest, ASessionEndsWithItsCertificate) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  ASSERT_EQ(agent.Until("welcome"), "welcome");
  clock_.Advance(absl::Hours(24 * 7) + absl::Seconds(1));
  EXPECT_THAT(agent.Until("goodbye"), HasSubstr("has expired"));
  EXPECT_EQ(Agents()[0].state(), "expired");
  EXPECT_EQ(Status(Joined("web-1")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(Events(), Contains(AllOf(HasSubstr("agent-connect-refused"),
                                       HasSubstr("\"web-1\" has expired"))));
}

TEST_F(EnrolmentPairTest, RotatingMakesANewKeyAndTheAgentComesBack) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const agent::ClientIdentity before = Joined("web-1");
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  ASSERT_EQ(agent.Until("welcome"), "welcome");
  v1::RotateAgentsRequest request;
  request.set_server("web-1");
  v1::RotateAgentsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(admin_->RotateAgents(&context, request, &response).ok());
  EXPECT_EQ(agent.Until("renewed"), "renewed");
  EXPECT_EQ(agent.Until("welcome"), "welcome");
  EXPECT_NE(Joined("web-1").key, before.key);
  EXPECT_FALSE(Agents()[0].rotating());
}

TEST_F(EnrolmentPairTest, AnAgentRenewsInTimeByItself) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const absl::Time end = agent::LoadIdentity(Files("web-1"))->not_after;
  clock_.Advance(absl::Hours(24 * 5));
  StreamAgent agent(address_, Files("web-1"), "web-1", clock_);
  EXPECT_EQ(agent.Until("renewed"), "renewed");
  EXPECT_EQ(agent.Until("welcome"), "welcome");
  EXPECT_GT(agent::LoadIdentity(Files("web-1"))->not_after, end);
}

TEST_F(EnrolmentPairTest, AnotherAuthorityThanBeforeIsSaid) {
  controller_.reset();
  Start();
  EXPECT_THAT(Events(), Not(Contains(HasSubstr("authority-changed"))));
  controller_.reset();
  std::filesystem::remove_all(folder_.File("data/tls"));
  Start();
  EXPECT_THAT(Events(), Contains(AllOf(HasSubstr("authority-changed: the authority is another one"),
                                       HasSubstr("agents that joined before are refused"))));
}

TEST_F(EnrolmentPairTest, ANewCertificateIsServedWithoutARestart) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const std::string before = Data("tls/serving.crt");
  clock_.Advance(absl::Hours(24 * 60) + absl::Hours(1));
  // The ticker looks every second.
  const absl::Time end = base::Clock::Real().Now() + absl::Seconds(30);
  base::Mutex mutex;
  base::CondVar never;
  while (Data("tls/serving.crt") == before && base::Clock::Real().Now() < end) {
    base::MutexLock lock(mutex);
    never.WaitFor(mutex, absl::Milliseconds(50));
  }
  ASSERT_NE(Data("tls/serving.crt"), before);
  // With the old one, which is over soon, this would fail a month later.
  clock_.Advance(absl::Hours(24 * 31));
  grpc::Status status;
  while (base::Clock::Real().Now() < end) {
    status = Status(Person());
    if (status.ok()) break;
    base::MutexLock lock(mutex);
    never.WaitFor(mutex, absl::Milliseconds(50));
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(EnrolmentPairTest, ADamagedIdentityIsNamed) {
  ASSERT_TRUE(Join(Token("web-1"), "web-1").ok());
  const agent::IdentityFiles files = Files("web-1");
  const agent::ClientIdentity good = Joined("web-1");
  ASSERT_TRUE(base::WriteFileAtomically(files.identity, good.certificate).ok());
  EXPECT_THAT(
      agent::LoadIdentity(files).status().ToString(),
      AllOf(HasSubstr("agent.pem"), HasSubstr("is not a private key"), HasSubstr("join again")));
  ASSERT_TRUE(
      base::WriteFileAtomically(files.identity, base::MakePrivateKey().value() + good.certificate)
          .ok());
  EXPECT_THAT(agent::LoadIdentity(files).status().ToString(), HasSubstr("does not belong"));
}

}  // namespace
}  // namespace fairlead::controller
