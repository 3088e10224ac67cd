// Logins by OpenID Connect: a whole controller and a provider that can lie.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/testing/simulated_clock.h"
#include "controller/controller.h"
#include "controller/store/testing/temporary_folder.h"
#include "fairlead/v1/access_service.grpc.pb.h"
#include "fairlead/v1/oidc.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"
#include "integration/testing/oidc_provider.h"
#include "integration/testing/wait.h"

namespace fairlead::controller {
namespace {

using integration::Lie;
using integration::OidcProvider;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kPassword[] = "correct horse battery";
constexpr char kRedirect[] = "http://127.0.0.1:5555/callback";
constexpr char kVerifier[] = "a-verifier-that-only-the-one-who-began-it-has";
constexpr char kFiles[] = R"(
[[server]]
name = "edge"
[[server]]
name = "core"
[[user_group]]
name = "web"
[[user_group.permission]]
target = { type = "Server", id = "edge" }
level = "Read"
)";

std::string Challenge() {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(kVerifier), sizeof(kVerifier) - 1,
         reinterpret_cast<unsigned char*>(hash.data()));
  return absl::WebSafeBase64Escape(hash);
}

class OidcPairTest : public ::testing::Test {
 protected:
  void Start(integration::OidcProviderOptions provider = {}) {
    provider.clock = &clock_;
    provider_ = std::make_unique<OidcProvider>(provider);
    ASSERT_TRUE(base::WriteFileAtomically(folder_.File("oidc.toml"), provider_->Settings()).ok());
    ASSERT_TRUE(
        base::WriteFileAtomically(folder_.File("secret"), provider.client_secret + "\n").ok());
    StartController();
  }
  // On the data that is there.
  void StartController() {
    ControllerOptions options;
    options.dev = true;
    options.require_login = true;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.data_dir = folder_.File("data");
    options.oidc = folder_.File("oidc.toml");
    options.clock = &clock_;
    options.on_first_token = [this](const std::string& token) { first_token_ = token; };
    auto controller = Controller::Start(options);
    ASSERT_TRUE(controller.ok()) << controller.status();
    controller_ = *std::move(controller);
    channel_ = grpc::CreateChannel(controller_->grpc_address(), grpc::InsecureChannelCredentials());
    access_ = v1::AccessService::NewStub(channel_);
    oidc_ = v1::OidcService::NewStub(channel_);
    resources_ = v1::ResourceService::NewStub(channel_);
  }

  static void Bear(grpc::ClientContext& context, const std::string& token) {
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  }

  // A login as far as the browser comes back; what it brings.
  v1::OidcFinishRequest Begin() {
    v1::OidcBeginRequest request;
    request.set_redirect_uri(kRedirect);
    request.set_code_challenge(Challenge());
    v1::OidcBeginResponse response;
    grpc::ClientContext context;
    Bear(context, "");
    status_ = oidc_->Begin(&context, request, &response);
    v1::OidcFinishRequest finish;
    if (!status_.ok()) return finish;
    const std::string came_back = provider_->Visit(response.authorization_url());
    EXPECT_TRUE(absl::StartsWith(came_back, absl::StrCat(kRedirect, "?code="))) << came_back;
    EXPECT_TRUE(absl::EndsWith(came_back, absl::StrCat("&state=", response.state())));
    const std::size_t from = came_back.find("code%2F") + 7;
    finish.set_code(absl::StrCat("code/", came_back.substr(from, came_back.find('&') - from)));
    finish.set_state(response.state());
    finish.set_code_verifier(kVerifier);
    return finish;
  }
  v1::OidcFinishResponse Finish(const v1::OidcFinishRequest& request) {
    v1::OidcFinishResponse response;
    grpc::ClientContext context;
    Bear(context, "");
    status_ = oidc_->Finish(&context, request, &response);
    return response;
  }
  v1::OidcFinishResponse LogIn() { return Finish(Begin()); }
  // "CODE: MESSAGE" of the last call.
  std::string Outcome() const {
    return absl::StrCat(status_.error_code(), ": ", status_.error_message());
  }

  std::string Admin() {
    if (!admin_.empty()) return admin_;
    v1::LoginRequest request;
    request.set_user("root");
    request.set_password(kPassword);
    request.set_first_token(first_token_);
    v1::LoginResponse response;
    grpc::ClientContext context;
    Bear(context, "");
    const grpc::Status status = access_->Login(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    admin_ = response.token();
    return admin_;
  }
  void AddUser(const std::string& name) {
    v1::AddUserRequest request;
    request.set_name(name);
    v1::AddUserResponse response;
    grpc::ClientContext context;
    Bear(context, Admin());
    const grpc::Status status = access_->AddUser(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  v1::WhoAmIResponse WhoAmI(const std::string& token) {
    v1::WhoAmIResponse response;
    grpc::ClientContext context;
    Bear(context, token);
    status_ = access_->WhoAmI(&context, v1::WhoAmIRequest(), &response);
    return response;
  }
  void Apply() {
    v1::ApplyRequest request;
    v1::SourceFile& file = *request.add_files();
    file.set_path("all.toml");
    file.set_content(kFiles);
    v1::ApplyResponse response;
    grpc::ClientContext context;
    Bear(context, Admin());
    const grpc::Status status = resources_->Apply(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  std::vector<std::string> Names(const std::string& token) {
    v1::ListResourcesResponse response;
    grpc::ClientContext context;
    Bear(context, token);
    status_ = resources_->ListResources(&context, v1::ListResourcesRequest(), &response);
    std::vector<std::string> names;
    for (const auto& view : response.resources()) names.push_back(view.status().resource());
    return names;
  }
  // The newest record of a login.
  v1::AuditRecord Audit() {
    v1::ListAuditResponse response;
    grpc::ClientContext context;
    Bear(context, Admin());
    const grpc::Status status = access_->ListAudit(&context, v1::ListAuditRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    v1::AuditRecord found;
    for (const v1::AuditRecord& record : response.records()) {
      if (record.method() == "fairlead.v1.OidcService.Finish") found = record;
    }
    return found;
  }

  base::SimulatedClock clock_;
  store::TemporaryFolder folder_;
  std::string first_token_;
  std::unique_ptr<OidcProvider> provider_;
  std::unique_ptr<Controller> controller_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AccessService::Stub> access_;
  std::unique_ptr<v1::OidcService::Stub> oidc_;
  std::unique_ptr<v1::ResourceService::Stub> resources_;
  std::string admin_;
  grpc::Status status_;
};

TEST_F(OidcPairTest, SessionMayDoWhatTheGroupsMay) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Apply();
  const v1::OidcFinishResponse in = LogIn();
  ASSERT_TRUE(status_.ok()) << Outcome();
  EXPECT_EQ(in.user(), "ann");
  EXPECT_THAT(in.groups(), ElementsAre("web"));
  // The loop shows a group at its next pass.
  EXPECT_OK(integration::WaitFor("the group counts", [&] { return !Names(in.token()).empty(); }));
  const v1::WhoAmIResponse who = WhoAmI(in.token());
  EXPECT_EQ(who.caller(), "oidc/ann");
  EXPECT_FALSE(who.admin());
  EXPECT_THAT(who.groups(), ElementsAre("web"));
  EXPECT_THAT(Names(in.token()), ElementsAre("server/edge"));
  const v1::AuditRecord record = Audit();
  EXPECT_EQ(record.caller(), "oidc/ann");
  EXPECT_EQ(record.outcome(), v1::AUDIT_OUTCOME_DONE);
  EXPECT_EQ(record.reason(), "subject 1234, groups web");
  // A session ends like any other.
  clock_.Advance(absl::Hours(12));
  WhoAmI(in.token());
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(OidcPairTest, LogoutEndsTheSession) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string token = LogIn().token();
  v1::LogoutResponse response;
  grpc::ClientContext context;
  Bear(context, token);
  EXPECT_TRUE(access_->Logout(&context, v1::LogoutRequest(), &response).ok());
  WhoAmI(token);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(OidcPairTest, SessionsGoOnAfterARestartUnlessTheyWereEnded) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Apply();
  const std::string token = LogIn().token();
  const std::string ended = LogIn().token();
  v1::LogoutResponse response;
  grpc::ClientContext context;
  Bear(context, ended);
  EXPECT_TRUE(access_->Logout(&context, v1::LogoutRequest(), &response).ok());
  controller_.reset();
  ASSERT_NO_FATAL_FAILURE(StartController());
  EXPECT_EQ(WhoAmI(Admin()).caller(), "user/root");
  EXPECT_EQ(WhoAmI(token).caller(), "oidc/ann");
  // The loop shows a group at its first pass.
  EXPECT_OK(integration::WaitFor("the group counts", [&] { return !Names(token).empty(); }));
  EXPECT_THAT(WhoAmI(token).groups(), ElementsAre("web"));
  EXPECT_THAT(Names(token), ElementsAre("server/edge"));
  WhoAmI(ended);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  clock_.Advance(absl::Hours(12));
  controller_.reset();
  ASSERT_NO_FATAL_FAILURE(StartController());
  WhoAmI(token);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(OidcPairTest, EveryAlgorithmAndASecretWork) {
  for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
    controller_.reset();
    ASSERT_NO_FATAL_FAILURE(Start({.algorithm = algorithm, .client_secret = "s3cret/+:%"}));
    EXPECT_NE(LogIn().token(), "") << algorithm << " " << Outcome();
  }
}

TEST_F(OidcPairTest, LiesAreRefusedAndAudited) {
  ASSERT_NO_FATAL_FAILURE(Start());
  struct Case {
    Lie lie;
    grpc::StatusCode code;
    const char* why;
  };
  using grpc::StatusCode;
  for (const Case& each :
       {Case{Lie::kWrongNonce, StatusCode::UNAUTHENTICATED, "of another login"},
        Case{Lie::kWrongAudience, StatusCode::UNAUTHENTICATED, "not for this client"},
        Case{Lie::kWrongIssuer, StatusCode::UNAUTHENTICATED, "another provider"},
        Case{Lie::kExpired, StatusCode::UNAUTHENTICATED, "expired 1h ago"},
        Case{Lie::kFromTheFuture, StatusCode::UNAUTHENTICATED, "1h in the future"},
        Case{Lie::kOtherKey, StatusCode::UNAUTHENTICATED, "signature is wrong"},
        Case{Lie::kAlgNone, StatusCode::UNAUTHENTICATED, "signed with \"none\""},
        Case{Lie::kNoToken, StatusCode::UNAVAILABLE, "without an ID token"},
        Case{Lie::kHugeAnswer, StatusCode::UNAVAILABLE, "more than 1048576 bytes"},
        Case{Lie::kServerError, StatusCode::UNAVAILABLE, "answers 503"}}) {
    provider_->SetLie(each.lie);
    EXPECT_EQ(LogIn().token(), "");
    EXPECT_EQ(status_.error_code(), each.code) << each.why;
    EXPECT_THAT(status_.error_message(), HasSubstr(each.why));
    const v1::AuditRecord record = Audit();
    EXPECT_NE(record.outcome(), v1::AUDIT_OUTCOME_DONE);
    EXPECT_THAT(record.reason(), HasSubstr(each.why));
    EXPECT_EQ(record.caller(), "unknown");
  }
  provider_->SetLie(Lie::kNone);
  EXPECT_NE(LogIn().token(), "") << Outcome();
}

TEST_F(OidcPairTest, CodeAloneEndsNoLogin) {
  ASSERT_NO_FATAL_FAILURE(Start());
  v1::OidcFinishRequest finish = Begin();
  finish.set_code_verifier("of one who has only seen the address");
  Finish(finish);
  EXPECT_THAT(status_.error_message(), HasSubstr("another one has begun this login"));
  EXPECT_EQ(provider_->Requests("/token"), 0);
  // And it is over: the state is good once.
  finish.set_code_verifier(kVerifier);
  Finish(finish);
  EXPECT_THAT(status_.error_message(), HasSubstr("no such login has begun"));

  finish = Begin();
  EXPECT_NE(Finish(finish).token(), "") << Outcome();
  EXPECT_EQ(Finish(finish).token(), "");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);

  finish = Begin();
  finish.set_code("code/of-another");
  Finish(finish);
  EXPECT_THAT(status_.error_message(),
              AllOf(HasSubstr("refuses the code"), HasSubstr("no such code")));
}

TEST_F(OidcPairTest, LoginIsOverAfterTenMinutes) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const v1::OidcFinishRequest finish = Begin();
  clock_.Advance(absl::Minutes(10) + absl::Seconds(1));
  Finish(finish);
  EXPECT_THAT(status_.error_message(), HasSubstr("more than 10m ago"));
}

TEST_F(OidcPairTest, RedirectLeadsToTheUsersMachineAlone) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto begin = [this](const std::string& uri, const std::string& challenge) {
    v1::OidcBeginRequest request;
    request.set_redirect_uri(uri);
    request.set_code_challenge(challenge);
    v1::OidcBeginResponse response;
    grpc::ClientContext context;
    Bear(context, "");
    return oidc_->Begin(&context, request, &response).error_code();
  };
  EXPECT_EQ(begin("http://[::1]:80/callback", Challenge()), grpc::StatusCode::OK);
  for (const char* uri :
       {"", "https://evil.example.com/callback", "http://localhost:80/callback",
        "http://127.0.0.1/callback", "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback", "http://127.0.0.1:80/", "http://127.0.0.1:80/callback?a",
        "http://127.0.0.1:80@evil.example.com/callback", "http://127.0.0.1:+80/callback"}) {
    EXPECT_EQ(begin(uri, Challenge()), grpc::StatusCode::INVALID_ARGUMENT) << uri;
  }
  EXPECT_EQ(begin(kRedirect, ""), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(begin(kRedirect, "short"), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(OidcPairTest, WhoIsInNoMappedGroupIsToldWhy) {
  ASSERT_NO_FATAL_FAILURE(Start());
  provider_->SetPerson("bob", {"sales"});
  LogIn();
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status_.error_message(),
              AllOf(HasSubstr("\"bob\" is in no group that may log in"), HasSubstr("has sales")));
  provider_->SetPerson("bob", {});
  LogIn();
  EXPECT_THAT(status_.error_message(), HasSubstr("has none"));
  provider_->SetPerson(std::string(20'000, 'b'), {"devs"});
  LogIn();
  EXPECT_THAT(status_.error_message(), HasSubstr("cannot be a name"));
  provider_->SetPerson("bob", std::vector<std::string>(40, std::string(1000, 's')));
  LogIn();
  EXPECT_THAT(status_.error_message(), HasSubstr(", ..., and no [[group]]"));
  provider_->SetPerson("Bob Lee", {"devs"});
  LogIn();
  EXPECT_THAT(status_.error_message(),
              AllOf(HasSubstr("preferred_username"), HasSubstr("cannot be a name")));
}

TEST_F(OidcPairTest, NameOfALocalUserIsThatOnesAlone) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Admin();
  provider_->SetPerson("root", {"devs"});
  EXPECT_EQ(LogIn().token(), "");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status_.error_message(), HasSubstr("is a local user"));
  provider_->SetPerson("ann", {"devs"});
  const std::string token = LogIn().token();
  EXPECT_EQ(WhoAmI(token).caller(), "oidc/ann");
  AddUser("ann");
  WhoAmI(token);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(OidcPairTest, NewKeyIsFetchedAndUnknownOnesNotTooOften) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_NE(LogIn().token(), "") << Outcome();
  EXPECT_NE(LogIn().token(), "") << Outcome();
  EXPECT_EQ(provider_->Requests("/jwks"), 1);
  EXPECT_EQ(provider_->Requests("/.well-known/openid-configuration"), 1);
  provider_->RotateKey();
  LogIn();
  EXPECT_THAT(status_.error_message(), HasSubstr("none that the provider publishes"));
  EXPECT_EQ(provider_->Requests("/jwks"), 1);
  clock_.Advance(absl::Seconds(10));
  EXPECT_NE(LogIn().token(), "") << Outcome();
  EXPECT_EQ(provider_->Requests("/jwks"), 2);
  // What is published is read again after an hour.
  clock_.Advance(absl::Hours(1));
  EXPECT_NE(LogIn().token(), "") << Outcome();
  EXPECT_EQ(provider_->Requests("/jwks"), 3);
  EXPECT_EQ(provider_->Requests("/.well-known/openid-configuration"), 2);
}

TEST_F(OidcPairTest, ProviderThatIsDownIsSaid) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string issuer = provider_->issuer();
  provider_.reset();
  Begin();
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status_.error_message(), AllOf(HasSubstr(issuer), HasSubstr("cannot be asked")));
}

TEST_F(OidcPairTest, FailuresLockTheAddressOut) {
  ASSERT_NO_FATAL_FAILURE(Start());
  v1::OidcFinishRequest guess;
  guess.set_state("guess");
  for (int i = 0; i < 21; ++i) {
    Finish(guess);
    EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED) << i;
  }
  Finish(guess);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  Begin();
  EXPECT_THAT(status_.error_message(), HasSubstr("too many failed attempts"));
  clock_.Advance(absl::Seconds(2));
  EXPECT_NE(LogIn().token(), "") << Outcome();
}

TEST_F(OidcPairTest, LoginsThatNobodyEndsAreBounded) {
  ASSERT_NO_FATAL_FAILURE(Start());
  for (int i = 0; i < 20; ++i) {
    Begin();
    EXPECT_TRUE(status_.ok()) << i;
  }
  Begin();
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  clock_.Advance(absl::Minutes(10) + absl::Seconds(1));
  EXPECT_NE(LogIn().token(), "") << Outcome();
}

TEST_F(OidcPairTest, ProviderThatHangsHoldsUpNeitherCallsNorTheStop) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string token = LogIn().token();
  provider_->SetLie(Lie::kHang);
  const v1::OidcFinishRequest finish = Begin();
  grpc::Status ended;
  std::thread caller([&] {
    v1::OidcFinishResponse response;
    grpc::ClientContext context;
    Bear(context, "");
    ended = oidc_->Finish(&context, finish, &response);
  });
  EXPECT_OK(integration::WaitFor("the provider hangs",
                                 [this] { return provider_->Requests("/token") == 2; }));
  EXPECT_EQ(WhoAmI(token).caller(), "oidc/ann");
  controller_->Stop();
  caller.join();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::UNAVAILABLE) << ended.error_message();
}

}  // namespace
}  // namespace fairlead::controller
