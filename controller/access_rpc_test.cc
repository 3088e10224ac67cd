// Who may call what, against a whole controller without agents.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/testing/simulated_clock.h"
#include "controller/access/rules.h"
#include "controller/testing/controller_fixture.h"
#include "fairlead/v1/access_service.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kPassword[] = "correct horse battery";
constexpr char kFiles[] = R"(
[[server]]
name = "edge"
tags = ["far"]
[[server]]
name = "core"
[[procedure]]
name = "web-nightly"
[[procedure.config.stage]]
name = "only"
executions = [{ execution = { type = "Sleep", params.duration_ms = 600000 } }]
[[procedure]]
name = "db-nightly"
[[procedure.config.stage]]
name = "only"
executions = [{ execution = { type = "Sleep", params.duration_ms = 600000 } }]
[[user_group]]
name = "web"
users = ["ann"]
[[user_group.permission]]
target = { type = "Procedure", id = "web-*" }
level = "Execute"
specific = ["Logs"]
[[user_group.permission]]
target = { type = "Server", id = "tag:far" }
level = "Read"
)";

// Services of gRPC itself: they say which calls there are and that the controller lives.
const std::set<std::string>& ServicesOfGrpc() {
  static const auto* const names = new std::set<std::string>{
      "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"};
  return *names;
}

// What everybody may who has logged in, each for what is their own.
const std::set<std::string>& OwnMethods() {
  static const auto* const names = new std::set<std::string>{
      "fairlead.v1.AccessService.Logout",      "fairlead.v1.AccessService.WhoAmI",
      "fairlead.v1.AccessService.SetPassword", "fairlead.v1.AccessService.ListKeys",
      "fairlead.v1.AccessService.CreateKey",   "fairlead.v1.AccessService.RevokeKey"};
  return *names;
}

// What prove an identity themselves, and what each answers to who brings nothing. This controller
// knows no OpenID provider; oidc_pair_test has one.
const std::map<std::string, grpc::StatusCode>& OpenMethods() {
  static const auto* const codes = new std::map<std::string, grpc::StatusCode>{
      {"fairlead.v1.AccessService.Login", grpc::StatusCode::UNAUTHENTICATED},
      {"fairlead.v1.OidcService.Begin", grpc::StatusCode::FAILED_PRECONDITION},
      {"fairlead.v1.OidcService.Finish", grpc::StatusCode::FAILED_PRECONDITION}};
  return *codes;
}

// One call of any kind with one request; no matter what comes back but the end.
struct RawReply {
  grpc::Status status;
  std::vector<std::string> messages;
};

std::vector<std::string> MethodsWithoutRule(const std::vector<std::string>& methods,
                                            const access::Rules& rules) {
  std::vector<std::string> without;
  for (const std::string& method : methods) {
    if (rules.Find(method) == nullptr) without.push_back(method);
  }
  return without;
}

class AccessRpcTest : public ControllerFixture {
 protected:
  AccessRpcTest() {
    ControllerOptions options = Options();
    options.require_login = true;
    Start(options);
    access_ = StubOf<v1::AccessService>();
    resources_ = StubOf<v1::ResourceService>();
    syncs_ = StubOf<v1::SyncService>();
    executions_ = StubOf<v1::ExecutionService>();
  }

  // The token of the session.
  std::string LogIn(const std::string& user, const std::string& password = kPassword,
                    const std::string& first_token = "") {
    v1::LoginRequest request;
    request.set_user(user);
    request.set_password(password);
    request.set_first_token(first_token);
    v1::LoginResponse response;
    status_ = Call(access_, &v1::AccessService::Stub::Login, request, &response, "");
    return response.token();
  }
  std::string Admin() {
    if (admin_.empty()) {
      admin_ = LogIn("root", kPassword, first_token_);
      EXPECT_TRUE(status_.ok()) << status_.error_message();
    }
    return admin_;
  }
  // A new user, logged in.
  std::string NewUser(const std::string& name) {
    v1::AddUserRequest request;
    request.set_name(name);
    request.set_password(kPassword);
    v1::AddUserResponse response;
    const grpc::Status status =
        Call(access_, &v1::AccessService::Stub::AddUser, request, &response, Admin());
    EXPECT_TRUE(status.ok()) << status.error_message();
    return LogIn(name);
  }
  grpc::Status Apply(const std::string& toml, const std::string& token) {
    const grpc::Status status = ControllerFixture::Apply(toml, token);
    // Answered by the loop after its next pass.
    v1::ListSchedulesResponse schedules;
    EXPECT_TRUE(Call(executions_, &v1::ExecutionService::Stub::ListSchedules,
                     v1::ListSchedulesRequest(), &schedules, Admin())
                    .ok());
    return status;
  }
  std::vector<std::string> Names(const std::string& token) {
    v1::ListResourcesResponse response;
    status_ = Call(resources_, &v1::ResourceService::Stub::ListResources,
                   v1::ListResourcesRequest(), &response, token);
    std::vector<std::string> names;
    for (const auto& view : response.resources()) names.push_back(view.status().resource());
    return names;
  }
  grpc::Status Run(const std::string& resource, const std::string& token) {
    v1::RunRequest request;
    request.set_resource(resource);
    request.set_why("a test");
    v1::RunResponse response;
    const grpc::Status status =
        Call(executions_, &v1::ExecutionService::Stub::Run, request, &response, token);
    run_ = response.run().id();
    return status;
  }
  std::vector<v1::AuditRecord> Audit() {
    v1::ListAuditResponse response;
    const grpc::Status status = Call(access_, &v1::AccessService::Stub::ListAudit,
                                     v1::ListAuditRequest(), &response, Admin());
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.records().begin(), response.records().end()};
  }
  // The newest record of a method.
  v1::AuditRecord AuditOf(const std::string& method) {
    v1::AuditRecord found;
    for (const v1::AuditRecord& record : Audit()) {
      if (record.method() == "fairlead.v1." + method) found = record;
    }
    return found;
  }
  v1::WhoAmIResponse WhoAmI(const std::string& token) {
    v1::WhoAmIResponse response;
    status_ =
        Call(access_, &v1::AccessService::Stub::WhoAmI, v1::WhoAmIRequest(), &response, token);
    return response;
  }
  v1::CreateKeyResponse CreateKey(const v1::CreateKeyRequest& request, const std::string& token) {
    v1::CreateKeyResponse response;
    status_ = Call(access_, &v1::AccessService::Stub::CreateKey, request, &response, token);
    return response;
  }

  RawReply RawCall(const std::string& method, const std::string& request,
                   const std::string& token) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    Bear(context, token);
    grpc::CompletionQueue queue;
    RawReply reply;
    const auto wait = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    const auto call = stub.PrepareCall(&context, method, &queue);
    call->StartCall(nullptr);
    bool goes_on = wait();
    if (goes_on) {
      const grpc::Slice slice(request);
      call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
      wait();
      while (true) {
        grpc::ByteBuffer answer;
        call->Read(&answer, nullptr);
        if (!wait()) break;
        std::vector<grpc::Slice> parts;
        EXPECT_TRUE(answer.Dump(&parts).ok());
        std::string& text = reply.messages.emplace_back();
        for (const grpc::Slice& part : parts) {
          text.append(reinterpret_cast<const char*>(part.begin()), part.size());
        }
        // One who watches is admitted by then, and would stay.
        if (absl::StartsWith(method, "/fairlead.")) context.TryCancel();
      }
    }
    call->Finish(&reply.status, nullptr);
    wait();
    queue.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
    }
    return reply;
  }
  grpc::StatusCode CodeOf(const std::string& method, const std::string& token) {
    const std::size_t dot = method.rfind('.');
    return RawCall(absl::StrCat("/", method.substr(0, dot), "/", method.substr(dot + 1)), "", token)
        .status.error_code();
  }
  // Full names of all methods of all services that the server has registered, gRPC's own left out.
  std::vector<std::string> RegisteredMethods() {
    // list_services = "".
    const RawReply reply = RawCall("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                   std::string("\x3a\x00", 2), "");
    std::vector<std::string> methods;
    for (const std::string& message : reply.messages) {
      google::protobuf::UnknownFieldSet fields;
      EXPECT_TRUE(fields.ParseFromString(message));
      for (int i = 0; i < fields.field_count(); ++i) {
        // list_services_response.
        if (fields.field(i).number() != 6) continue;
        google::protobuf::UnknownFieldSet services;
        EXPECT_TRUE(services.ParseFromString(fields.field(i).length_delimited()));
        for (int j = 0; j < services.field_count(); ++j) {
          google::protobuf::UnknownFieldSet service;
          EXPECT_TRUE(service.ParseFromString(services.field(j).length_delimited()));
          AddMethods(service.field(0).length_delimited(), methods);
        }
      }
    }
    return methods;
  }
  static void AddMethods(const std::string& service, std::vector<std::string>& methods) {
    if (ServicesOfGrpc().contains(service)) return;
    const auto* const descriptor =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
    ASSERT_NE(descriptor, nullptr) << service;
    for (int i = 0; i < descriptor->method_count(); ++i) {
      methods.push_back(descriptor->method(i)->full_name());
    }
  }

  std::unique_ptr<v1::AccessService::Stub> access_;
  std::unique_ptr<v1::ResourceService::Stub> resources_;
  std::unique_ptr<v1::SyncService::Stub> syncs_;
  std::unique_ptr<v1::ExecutionService::Stub> executions_;
  std::string admin_;
  grpc::Status status_;
  std::string run_;
};

TEST_F(AccessRpcTest, EveryMethodHasARule) {
  const std::vector<std::string> methods = RegisteredMethods();
  EXPECT_GE(methods.size(), 35u);
  EXPECT_THAT(methods, Contains("fairlead.v1.AgentService.Connect"));
  EXPECT_THAT(MethodsWithoutRule(methods, access::Rules::All()), IsEmpty())
      << "give each of them a rule in controller/access/rules.cc";
}

TEST_F(AccessRpcTest, MethodWithoutARuleIsNoticed) {
  std::vector<access::Rule> table = access::RuleTable();
  std::erase_if(table, [](const access::Rule& rule) {
    return rule.method == "fairlead.v1.ExecutionService.Stop";
  });
  EXPECT_THAT(MethodsWithoutRule(RegisteredMethods(), access::Rules(table)),
              ElementsAre("fairlead.v1.ExecutionService.Stop"));
}

TEST_F(AccessRpcTest, EveryMethodRefusesWhoIsNotKnown) {
  for (const std::string& method : RegisteredMethods()) {
    if (access::Rules::All().Find(method)->target == access::Target::kOpen) {
      ASSERT_TRUE(OpenMethods().contains(method)) << method;
      EXPECT_EQ(CodeOf(method, ""), OpenMethods().at(method)) << method;
      continue;
    }
    // An agent is known by its certificate.
    const auto expected = method == "fairlead.v1.AgentService.Connect"
                              ? grpc::StatusCode::PERMISSION_DENIED
                              : grpc::StatusCode::UNAUTHENTICATED;
    EXPECT_EQ(CodeOf(method, ""), expected) << method;
    EXPECT_EQ(CodeOf(method, "flk_0123456789_01234567890123456789012345678901"), expected)
        << method;
  }
}

TEST_F(AccessRpcTest, EveryMethodRefusesWhoHasNoRights) {
  const std::string bob = NewUser("bob");
  std::set<std::string> own;
  for (const std::string& method : RegisteredMethods()) {
    if (access::Rules::All().Find(method)->target == access::Target::kSelf) {
      own.insert(method);
      continue;
    }
    const auto open = OpenMethods().find(method);
    EXPECT_EQ(CodeOf(method, bob),
              open == OpenMethods().end() ? grpc::StatusCode::PERMISSION_DENIED : open->second)
        << method;
  }
  EXPECT_EQ(own, OwnMethods());
}

TEST_F(AccessRpcTest, NoMethodRefusesAnAdmin) {
  const std::string admin = Admin();
  for (const std::string& method : RegisteredMethods()) {
    if (method == "fairlead.v1.AgentService.Connect" ||
        method == "fairlead.v1.AccessService.Login" ||
        method == "fairlead.v1.AccessService.Logout" ||
        // Wants the old password.
        method == "fairlead.v1.AccessService.SetPassword") {
      continue;
    }
    EXPECT_THAT(CodeOf(method, admin), AllOf(Not(grpc::StatusCode::UNAUTHENTICATED),
                                             Not(grpc::StatusCode::PERMISSION_DENIED)))
        << method;
  }
}

TEST_F(AccessRpcTest, FirstTokenMakesOneAdmin) {
  ASSERT_FALSE(first_token_.empty());
  EXPECT_EQ(LogIn("root", "short", first_token_), "");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const std::string admin = LogIn("root", kPassword, first_token_);
  const v1::WhoAmIResponse who = WhoAmI(admin);
  EXPECT_EQ(who.caller(), "user/root");
  EXPECT_TRUE(who.admin());
  EXPECT_EQ(who.address(), "127.0.0.1");
  EXPECT_EQ(LogIn("other", kPassword, first_token_), "");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_NE(LogIn("root"), "");
}

TEST_F(AccessRpcTest, UserSeesAndDoesWhatAGroupAllows) {
  ASSERT_TRUE(Apply(kFiles, Admin()).ok());
  const std::string ann = NewUser("ann");
  EXPECT_THAT(Names(ann), UnorderedElementsAre("procedure/web-nightly", "server/edge"));
  EXPECT_THAT(Names(Admin()), SizeIs(5));
  EXPECT_THAT(WhoAmI(ann).groups(), ElementsAre("web"));

  EXPECT_TRUE(Run("procedure/web-nightly", ann).ok());
  const std::string run = run_;
  const grpc::Status denied = Run("procedure/db-nightly", ann);
  EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(denied.error_message(), HasSubstr("needs \"execute\" on procedure/db-nightly"));
  ASSERT_TRUE(Run("procedure/db-nightly", Admin()).ok());
  v1::CancelRunRequest cancel;
  cancel.set_id(run_);
  v1::ExecutionResponse cancelled;
  EXPECT_EQ(Call(executions_, &v1::ExecutionService::Stub::CancelRun, cancel, &cancelled, ann)
                .error_code(),
            grpc::StatusCode::PERMISSION_DENIED);

  v1::ListRunsResponse runs;
  ASSERT_TRUE(
      Call(executions_, &v1::ExecutionService::Stub::ListRuns, v1::ListRunsRequest(), &runs, ann)
          .ok());
  ASSERT_EQ(runs.runs_size(), 1);
  EXPECT_EQ(runs.runs(0).id(), run);
  EXPECT_EQ(runs.runs(0).who(), "ann");

  v1::GetStatusResponse status;
  ASSERT_TRUE(
      Call(syncs_, &v1::SyncService::Stub::GetStatus, v1::GetStatusRequest(), &status, ann).ok());
  ASSERT_EQ(status.servers_size(), 1);
  EXPECT_EQ(status.servers(0).name(), "edge");
}

TEST_F(AccessRpcTest, ApplyAsksForEachResource) {
  ASSERT_TRUE(Apply(kFiles, Admin()).ok());
  ASSERT_TRUE(Apply("[[user_group]]\nname = \"more\"\nusers = [\"ann\"]\n"
                    "all = { Server = \"Write\" }\n",
                    Admin())
                  .ok());
  const std::string ann = NewUser("ann");
  EXPECT_TRUE(Apply("[[server]]\nname = \"new\"\n", ann).ok());
  const grpc::Status denied = Apply(
      "[[server]]\nname = \"newer\"\n[[user_group]]\nname = \"mine\"\nusers = [\"ann\"]\n", ann);
  EXPECT_EQ(denied.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(denied.error_message(), HasSubstr("user_group/mine"));
  EXPECT_THAT(Names(Admin()), Not(Contains("server/newer")));
}

TEST_F(AccessRpcTest, AuditTellsChangesWithTheirDifferenceAndRefusals) {
  ASSERT_TRUE(Apply("[[server]]\nname = \"edge\"\n", Admin()).ok());
  ASSERT_TRUE(Apply("[[server]]\nname = \"edge\"\ndescription = \"far\"\n", Admin()).ok());
  v1::AuditRecord record = AuditOf("ResourceService.Apply");
  EXPECT_EQ(record.caller(), "user/root");
  EXPECT_EQ(record.address(), "127.0.0.1");
  EXPECT_EQ(record.resource(), "server/edge");
  EXPECT_EQ(record.outcome(), v1::AUDIT_OUTCOME_DONE);
  EXPECT_THAT(record.before(), Not(HasSubstr("far")));
  EXPECT_THAT(record.after(), HasSubstr("far"));
  EXPECT_THAT(record.diff(), HasSubstr("+description = far"));

  const std::string bob = NewUser("bob");
  EXPECT_FALSE(Run("procedure/a", bob).ok());
  record = AuditOf("ExecutionService.Run");
  EXPECT_EQ(record.caller(), "user/bob");
  EXPECT_EQ(record.outcome(), v1::AUDIT_OUTCOME_REFUSED);
  EXPECT_EQ(record.resource(), "procedure/a");
  EXPECT_FALSE(Run("procedure/a", Admin()).ok());
  record = AuditOf("ExecutionService.Run");
  EXPECT_EQ(record.outcome(), v1::AUDIT_OUTCOME_FAILED);

  LogIn("bob", "wrong password");
  record = AuditOf("AccessService.Login");
  EXPECT_EQ(record.caller(), "unknown");
  EXPECT_EQ(record.resource(), "user/bob");
  EXPECT_EQ(record.outcome(), v1::AUDIT_OUTCOME_REFUSED);

  v1::VerifyAuditResponse verified;
  ASSERT_TRUE(Call(access_, &v1::AccessService::Stub::VerifyAudit, v1::VerifyAuditRequest(),
                   &verified, Admin())
                  .ok());
  EXPECT_EQ(verified.problem(), "");
  EXPECT_EQ(verified.records(), Audit().size());
  EXPECT_THAT(verified.head(), SizeIs(64));
  for (const v1::AuditRecord& each : Audit()) {
    EXPECT_THAT(each.DebugString(), Not(HasSubstr(kPassword)));
  }
}

TEST_F(AccessRpcTest, ReadingLeavesNoRecord) {
  Admin();
  const std::size_t before = Audit().size();
  Names(Admin());
  WhoAmI(Admin());
  EXPECT_EQ(Audit().size(), before);
}

TEST_F(AccessRpcTest, KeyWorksWithinItsPermissionsUntilItIsRevoked) {
  ASSERT_TRUE(Apply(kFiles, Admin()).ok());
  v1::CreateKeyRequest request;
  request.set_name("ci");
  request.add_permissions("procedure:web-*:execute");
  const v1::CreateKeyResponse made = CreateKey(request, Admin());
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  EXPECT_THAT(made.view().permissions(), ElementsAre("procedure:web-*:execute"));
  EXPECT_TRUE(absl::StartsWith(made.key(), made.view().prefix()));
  EXPECT_THAT(Names(made.key()), ElementsAre("procedure/web-nightly"));
  EXPECT_TRUE(Run("procedure/web-nightly", made.key()).ok());
  EXPECT_FALSE(Run("procedure/db-nightly", made.key()).ok());
  EXPECT_EQ(AuditOf("ExecutionService.Run").caller(), "key/root/ci");
  // It makes no wider key of itself.
  request.set_name("wider");
  request.clear_permissions();
  CreateKey(request, made.key());
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::PERMISSION_DENIED);

  v1::RevokeKeyRequest revoke;
  revoke.set_key("ci");
  v1::RevokeKeyResponse revoked;
  ASSERT_TRUE(Call(access_, &v1::AccessService::Stub::RevokeKey, revoke, &revoked, Admin()).ok());
  Names(made.key());
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(AccessRpcTest, UsersKeepToTheirOwnKeysAndPasswords) {
  const std::string ann = NewUser("ann");
  const std::string bob = NewUser("bob");
  v1::CreateKeyRequest request;
  request.set_name("mine");
  CreateKey(request, ann);
  ASSERT_TRUE(status_.ok()) << status_.error_message();
  request.set_user("ann");
  CreateKey(request, bob);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  v1::ListKeysResponse keys;
  ASSERT_TRUE(
      Call(access_, &v1::AccessService::Stub::ListKeys, v1::ListKeysRequest(), &keys, bob).ok());
  EXPECT_EQ(keys.keys_size(), 0);
  v1::RevokeKeyRequest revoke;
  revoke.set_key("mine");
  v1::RevokeKeyResponse revoked;
  EXPECT_EQ(Call(access_, &v1::AccessService::Stub::RevokeKey, revoke, &revoked, bob).error_code(),
            grpc::StatusCode::NOT_FOUND);

  v1::SetPasswordRequest password;
  password.set_name("ann");
  password.set_password("another password");
  v1::SetPasswordResponse changed;
  EXPECT_EQ(
      Call(access_, &v1::AccessService::Stub::SetPassword, password, &changed, bob).error_code(),
      grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(
      Call(access_, &v1::AccessService::Stub::SetPassword, password, &changed, ann).error_code(),
      grpc::StatusCode::UNAUTHENTICATED);
  password.set_old_password(kPassword);
  EXPECT_TRUE(Call(access_, &v1::AccessService::Stub::SetPassword, password, &changed, ann).ok());
  WhoAmI(ann);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_NE(LogIn("ann", "another password"), "");
}

TEST_F(AccessRpcTest, DisabledUserAndEndedSessionAreOut) {
  const std::string ann = NewUser("ann");
  const std::string again = LogIn("ann");
  v1::LogoutResponse gone;
  ASSERT_TRUE(
      Call(access_, &v1::AccessService::Stub::Logout, v1::LogoutRequest(), &gone, ann).ok());
  WhoAmI(ann);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(WhoAmI(again).caller(), "user/ann");
  v1::ChangeUserRequest change;
  change.set_name("ann");
  change.set_disabled(true);
  v1::ChangeUserResponse changed;
  ASSERT_TRUE(Call(access_, &v1::AccessService::Stub::ChangeUser, change, &changed, Admin()).ok());
  WhoAmI(again);
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(LogIn("ann"), "");
  EXPECT_EQ(AuditOf("AccessService.ChangeUser").diff(), "-disabled = false\n+disabled = true\n");
}

TEST_F(AccessRpcTest, TooManyWrongPasswordsMustWait) {
  NewUser("ann");
  for (int i = 0; i < 6; ++i) LogIn("ann", "wrong password");
  LogIn("ann");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status_.error_message();
  EXPECT_NE(LogIn("root"), "");
}

}  // namespace
}  // namespace fairlead::controller
