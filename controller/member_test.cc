// Two controllers on one database, in one process: who acts, and what the other one passes on.
#include "controller/member.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/certificate.h"
#include "base/file.h"
#include "base/mutex.h"
#include "controller/agents/call_peer.h"
#include "controller/identity/certificate_authority.h"
#include "controller/store/testing/postgres_test.h"
#include "controller/store/testing/temporary_folder.h"
#include "controller/webhook_relay.h"
#include "fairlead/v1/access_service.grpc.pb.h"
#include "fairlead/v1/agent.grpc.pb.h"
#include "fairlead/v1/secret_service.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A certificate with its key, of the members' authority.
struct Person {
  std::string key;
  std::string certificate;
};

class MemberTest : public store::PostgresTest {
 protected:
  void SetUp() override {
    store::PostgresTest::SetUp();
    if (cluster_ == nullptr) return;
    // Both have one authority, as the operator copies it.
    const auto authority = identity::MakeAuthority("test", base::Clock::Real().Now());
    ASSERT_TRUE(authority.ok()) << authority.status();
    authority_ = *authority;
    for (const char* name : {"a", "b"}) PutAuthority(name, authority_);
  }

  void PutAuthority(const std::string& name, const identity::KeyPair& authority) {
    const std::string tls = folder_.File(name) + "/tls";
    ASSERT_TRUE(base::MakeDirectories(tls).ok());
    ASSERT_TRUE(base::WriteFileAtomically(tls + "/ca.crt", authority.certificate, 0600).ok());
    ASSERT_TRUE(base::WriteFileAtomically(tls + "/ca.key", authority.key, 0600).ok());
  }

  ControllerOptions OptionsOf(const std::string& name) {
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.data_dir = folder_.File(name);
    options.store = cluster_->Socket(database_);
    options.program = "/bin/false";
    options.lease_duration = absl::Seconds(2);
    options.on_first_token = [](const std::string&) {};
    return options;
  }
  std::unique_ptr<Member> Begin(const std::string& name) {
    auto member = Member::Start(OptionsOf(name), [] { ADD_FAILURE() << "an office did not end"; });
    EXPECT_TRUE(member.ok()) << member.status();
    return member.ok() ? *std::move(member) : nullptr;
  }

  Person Issue(const std::string& uri) const {
    Person person;
    person.key = base::MakePrivateKey().value();
    person.certificate =
        base::IssueCertificate({.common_name = "test",
                                .uris = {uri},
                                .not_before = base::Clock::Real().Now() - absl::Hours(1),
                                .not_after = base::Clock::Real().Now() + absl::Hours(1)},
                               person.key, authority_.certificate, authority_.key)
            .value();
    return person;
  }
  std::shared_ptr<grpc::Channel> Dial(const Member& member, const Person& person) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = authority_.certificate;
    options.pem_private_key = person.key;
    options.pem_cert_chain = person.certificate;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(member.grpc_address(), grpc::SslCredentials(options),
                                     arguments);
  }
  static void Limit(grpc::ClientContext& context, int seconds = 30) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(seconds));
  }
  // "certificate/ann" and the like; the error's text when it is refused.
  std::string WhoAmI(const Member& member, const Person& person,
                     const std::vector<std::pair<std::string, std::string>>& metadata = {}) {
    grpc::ClientContext context;
    Limit(context);
    for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
    v1::WhoAmIResponse response;
    status_ = v1::AccessService::NewStub(Dial(member, person))
                  ->WhoAmI(&context, v1::WhoAmIRequest(), &response);
    return status_.ok() ? response.caller() : status_.error_message();
  }

  // Who has the token, by it alone.
  std::string WhoBears(const Member& member, const std::string& token) {
    return WhoAmI(member, Person(), {{"authorization", "Bearer " + token}});
  }
  // The token of the session of a new user.
  std::string LogIn(const Member& member, const Person& admin, const std::string& user) {
    const auto stub = v1::AccessService::NewStub(Dial(member, admin));
    v1::AddUserRequest add;
    add.set_name(user);
    add.set_password("correct horse battery");
    v1::AddUserResponse added;
    grpc::ClientContext adding;
    Limit(adding);
    status_ = stub->AddUser(&adding, add, &added);
    EXPECT_TRUE(status_.ok()) << status_.error_message();
    v1::LoginRequest login;
    login.set_user(user);
    login.set_password(add.password());
    v1::LoginResponse response;
    grpc::ClientContext logging_in;
    Limit(logging_in);
    status_ = stub->Login(&logging_in, login, &response);
    EXPECT_TRUE(status_.ok()) << status_.error_message();
    return response.token();
  }
  grpc::Status SetSecret(const Member& member, const Person& person) {
    grpc::ClientContext context;
    Limit(context);
    v1::SetSecretRequest request;
    request.set_name("PW");
    request.set_value("kept");
    v1::SetSecretResponse response;
    return v1::SecretService::NewStub(Dial(member, person))
        ->SetSecret(&context, request, &response);
  }

  // Waits for as long as the test may last.
  template <typename Condition>
  static void Await(const Condition& condition) {
    base::Mutex mutex;
    base::CondVar never;
    base::MutexLock lock(mutex);
    while (!condition()) never.WaitFor(mutex, absl::Milliseconds(10));
  }

  http::HttpReply Http(const Member& member, const std::string& method,
                       const std::string& target) const {
    http::HttpRequest request;
    request.method = method;
    request.target = target;
    std::promise<absl::StatusOr<http::HttpReply>> answer;
    WebhookRelay client;
    EXPECT_TRUE(client.Pass({.base_url = "https://" + member.http_address(),
                             .trust = authority_.certificate,
                             .check_name = false},
                            request, [&answer](const auto& given) { answer.set_value(given); }));
    const auto reply = answer.get_future().get();
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.value_or(http::HttpReply());
  }

  store::TemporaryFolder folder_;
  identity::KeyPair authority_;
  grpc::Status status_;
};

TEST_F(MemberTest, TheFirstActsAndTheStandbyPassesCallsOnWithTheirCaller) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  EXPECT_GT(active->term(), 0);
  EXPECT_EQ(standby->term(), 0);
  const Person ann = Issue("fairlead://user/ann");
  EXPECT_EQ(WhoAmI(*active, ann), "certificate/ann");
  EXPECT_EQ(WhoAmI(*standby, ann), "certificate/ann");
  // Who shows nothing is nobody also there, and not the standby.
  WhoAmI(*standby, Person());
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status_.error_message();
}

TEST_F(MemberTest, AStreamOfAnAgentGoesThroughAStandby) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  const auto stub = v1::AgentService::NewStub(Dial(*standby, Issue("fairlead://server/host-1")));
  grpc::ClientContext context;
  Limit(context);
  const auto stream = stub->Connect(&context);
  v1::AgentMessage hello;
  hello.mutable_hello()->set_server("host-1");
  hello.mutable_hello()->set_instance_id("one");
  hello.mutable_hello()->set_protocol(1);
  ASSERT_TRUE(stream->Write(hello));
  v1::ControllerMessage answer;
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_TRUE(answer.has_welcome()) << answer.ShortDebugString();
  ASSERT_TRUE(stream->WritesDone());
  while (stream->Read(&answer)) {
  }
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(MemberTest, AnAgentMayNotSpeakForAnotherThroughAStandbyEither) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  const auto stub = v1::AgentService::NewStub(Dial(*standby, Issue("fairlead://server/host-1")));
  grpc::ClientContext context;
  Limit(context);
  const auto stream = stub->Connect(&context);
  v1::AgentMessage hello;
  hello.mutable_hello()->set_server("host-2");
  hello.mutable_hello()->set_instance_id("one");
  hello.mutable_hello()->set_protocol(1);
  stream->Write(hello);
  v1::ControllerMessage answer;
  while (stream->Read(&answer)) EXPECT_FALSE(answer.has_welcome());
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(MemberTest, DeadlinesAndCancellationsGoThrough) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  const auto stub = v1::EventService::NewStub(Dial(*standby, Issue("fairlead://person/ann")));
  v1::WatchRequest request;
  request.set_watch(true);
  v1::WatchResponse response;
  {
    grpc::ClientContext context;
    Limit(context, 1);
    const auto stream = stub->Watch(&context, request);
    while (stream->Read(&response)) {
    }
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  grpc::ClientContext context;
  Limit(context);
  const auto stream = stub->Watch(&context, request);
  // The election itself is an event.
  ASSERT_TRUE(stream->Read(&response));
  context.TryCancel();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(MemberTest, NobodyButAStandbyMaySayForWhomItCalls) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  const Person ann = Issue("fairlead://user/ann");
  const Person bob = Issue("fairlead://user/bob");
  const std::vector<std::pair<std::string, std::string>> forged = {
      {agents::kRelayedAddress, "ipv4:192.0.2.1:1"},
      {agents::kRelayedCertificate, bob.certificate}};
  EXPECT_EQ(WhoAmI(*active, ann, forged), "certificate/ann");
  WhoAmI(*active, Person(), forged);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  // A standby takes it for a call that goes round.
  WhoAmI(*standby, ann, forged);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAVAILABLE) << status_.error_message();
  // Half of it is taken out on the way.
  EXPECT_EQ(WhoAmI(*standby, ann, {{agents::kRelayedCertificate, bob.certificate}}),
            "certificate/ann");
  // The authority's word counts: this is what a standby says.
  const Person relay = Issue("fairlead://controller/b");
  EXPECT_EQ(WhoAmI(*active, relay, forged), "certificate/bob");
  WhoAmI(*active, relay);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(MemberTest, HttpSaysTheRoleAndWebhooksGoThrough) {
  const auto active = Begin("a");
  const auto standby = Begin("b");
  Await([&] { return Http(*active, "GET", "/readyz").status == 200; });
  EXPECT_EQ(Http(*standby, "GET", "/healthz").status, 200);
  const http::HttpReply ready = Http(*standby, "GET", "/readyz");
  EXPECT_EQ(ready.status, 200);
  EXPECT_THAT(ready.body, StartsWith("standby: "));
  EXPECT_THAT(ready.body, HasSubstr(active->grpc_address()));
  EXPECT_THAT(Http(*active, "GET", "/metrics").body, HasSubstr("fairlead_controller_active 1\n"));
  EXPECT_THAT(Http(*standby, "GET", "/metrics").body, HasSubstr("fairlead_controller_active 0\n"));
  const std::string hook = "/webhook/github/none";
  const http::HttpReply direct = Http(*active, "POST", hook);
  const http::HttpReply passed = Http(*standby, "POST", hook);
  EXPECT_EQ(passed.status, direct.status);
  EXPECT_EQ(passed.body, direct.body);
  EXPECT_THAT(Http(*active, "GET", "/metrics").body, HasSubstr("fairlead_webhooks_total{"));
}

TEST_F(MemberTest, WhenTheActiveOneStopsTheOtherActsOnTheSamePorts) {
  auto first = Begin("a");
  const auto second = Begin("b");
  const std::string address = second->grpc_address();
  const int64_t term = first->term();
  first->Stop();
  Await([&] { return second->term() > term; });
  EXPECT_EQ(second->grpc_address(), address);
  const Person ann = Issue("fairlead://user/ann");
  Await([&] { return WhoAmI(*second, ann) == "certificate/ann"; });
  // Who comes back is a standby now.
  first.reset();
  first = Begin("a");
  EXPECT_EQ(first->term(), 0);
  EXPECT_EQ(WhoAmI(*first, ann), "certificate/ann");
}

TEST_F(MemberTest, SessionsGoOnAtWhoeverActs) {
  const auto first = Begin("a");
  const auto second = Begin("b");
  const std::string token = LogIn(*second, Issue("fairlead://person/root"), "ann");
  EXPECT_EQ(WhoBears(*first, token), "user/ann");
  first->Stop();
  Await([&] { return second->term() > 0 && WhoBears(*second, token) == "user/ann"; });
}

TEST_F(MemberTest, WhoActsWithoutTheKeyOfSecretsMakesNoneAndActsWithTheCopy) {
  const auto first = Begin("a");
  auto second = Begin("b");
  const Person ann = Issue("fairlead://user/ann");
  Await([&] { return SetSecret(*first, ann).ok(); });
  first->Stop();
  // The first to refuse it is the new active one: nobody else can.
  Await([&] {
    status_ = SetSecret(*second, ann);
    return status_.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
  });
  const std::string file = folder_.File("b/secret.key");
  EXPECT_THAT(status_.error_message(), HasSubstr(file + " lacks key"));
  EXPECT_FALSE(std::filesystem::exists(file));
  second.reset();
  std::filesystem::copy_file(folder_.File("a/secret.key"), file);
  second = Begin("b");
  Await([&] { return SetSecret(*second, ann).ok(); });
}

TEST_F(MemberTest, WithoutTheDatabaseNobodyActsAndWithItSomebodyDoes) {
  const auto first = Begin("a");
  const auto second = Begin("b");
  const int64_t term = first->term();
  const Person ann = Issue("fairlead://user/ann");
  cluster_->Crash();
  Await([&] { return first->term() == 0 && second->term() == 0; });
  // Its port is the standby's a moment later.
  Await([&] {
    WhoAmI(*first, ann);
    return status_.error_code() == grpc::StatusCode::UNAVAILABLE &&
           status_.error_message().find("there is no active one") != std::string::npos;
  });
  ASSERT_TRUE(cluster_->Start());
  Await([&] { return first->term() > term || second->term() > term; });
  const Member& active = first->term() > term ? *first : *second;
  Await([&] { return WhoAmI(active, ann) == "certificate/ann"; });
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT count(*) FROM controller_terms a JOIN controller_terms b ON "
                          "b.term = a.term + 1 WHERE a.stopped > b.began"),
            "0");
}

TEST_F(MemberTest, AnotherAuthorityIsRefused) {
  const auto active = Begin("a");
  const auto stranger = identity::MakeAuthority("other", base::Clock::Real().Now());
  ASSERT_TRUE(stranger.ok());
  PutAuthority("c", *stranger);
  const auto refused = Member::Start(OptionsOf("c"), [] {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("copy tls/ca.crt, tls/ca.key and secret.key"));
}

TEST(IsSharedTest, OnlyPostgresCanBeShared) {
  ControllerOptions options;
  options.data_dir = "/nowhere";
  EXPECT_FALSE(IsShared(options).value());
  options.advertise = "fairlead.example.com:7400";
  EXPECT_THAT(IsShared(options).status().message(), HasSubstr("--advertise"));
  options.store = "postgresql://fairlead@db/fleet";
  EXPECT_TRUE(IsShared(options).value());
  options.lease_duration = absl::Milliseconds(10);
  EXPECT_THAT(IsShared(options).status().message(), HasSubstr("--lease-duration"));
}

}  // namespace
}  // namespace fairlead::controller
