#include "controller/access/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/testing/simulated_clock.h"
#include "controller/access/secret.h"
#include "controller/store/testing/fake_store.h"
#include "fairlead/v1/access_service.pb.h"
#include "fairlead/v1/service.pb.h"
#include "resources/toml_reader.h"

namespace fairlead::access {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kStop[] = "fairlead.v1.ExecutionService.Stop";
constexpr char kSync[] = "fairlead.v1.SyncService.Sync";
constexpr char kList[] = "fairlead.v1.ResourceService.ListResources";

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = *Directory::Load({}, store_);
    authenticator_ =
        std::make_unique<Authenticator>(*directory_, sessions_, clock_, AuthenticatorOptions{});
    gate_ = std::make_unique<Gate>(*authenticator_, *directory_, clock_,
                                   [](const std::string& id) -> absl::StatusOr<std::string> {
                                     if (id == "r1") return std::string("procedure/nightly");
                                     return absl::NotFoundError("no run");
                                   });
    Declare(R"(
[[user_group]]
name = "ops"
users = ["ann", "cert-ann"]
all = { Server = "Read" }
[[user_group.permission]]
target = { type = "Stack", id = "web-*" }
level = "Execute"
[[user_group.permission]]
target = { type = "Procedure", id = "nightly" }
level = "Read"
specific = ["Logs"]
)");
    AddUser("root", true);
    AddUser("ann");
    AddUser("bob");
  }
  void Declare(const std::string& toml) {
    std::vector<v1::Resource> groups;
    for (const auto& each : resources::ReadToml("a.toml", toml, v1::DIALECT_TOML).declarations) {
      groups.push_back(*each.spec);
    }
    gate_->SetDeclared(groups, {{"stack", "web-shop", {}}, {"stack", "db", {}}});
  }
  void AddUser(const std::string& name, bool admin = false) {
    v1::LocalUser user;
    user.set_name(name);
    user.set_admin(admin);
    ASSERT_TRUE(directory_->AddUser(user).ok());
  }
  Credentials As(const std::string& user) {
    return {.bearer = sessions_.Open(user, clock_.Now()).token, .address = "10.0.0.1"};
  }
  Credentials AsKeyOf(const std::string& user, const std::vector<std::string>& permissions) {
    const Secret secret = NewSecret(kKeyKind);
    v1::ApiKey key;
    key.set_id(secret.id);
    key.set_name("key" + secret.id);
    key.set_user(user);
    key.set_secret_hash(Sha256(secret.secret));
    for (const std::string& permission : permissions) {
      EXPECT_TRUE(AddPermission(permission, key).ok()) << permission;
    }
    EXPECT_TRUE(directory_->AddKey(key).ok());
    return {.bearer = secret.Text(), .address = "10.0.0.1"};
  }
  static v1::StopRequest StopOf(const std::string& resource) {
    v1::StopRequest request;
    request.set_resource(resource);
    return request;
  }
  absl::StatusCode Stop(const Credentials& credentials, const std::string& resource) {
    return gate_->Admit(kStop, StopOf(resource), credentials).status.code();
  }
  absl::StatusCode Admit(const std::string& method, const google::protobuf::Message& request,
                         const Credentials& credentials) {
    return gate_->Admit(method, request, credentials).status.code();
  }

  static constexpr auto kOk = absl::StatusCode::kOk;
  static constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  store::FakeStore store_;
  base::SimulatedClock clock_;
  Sessions sessions_{store::StoreImage(), store_, clock_.Now()};
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<Gate> gate_;
};

TEST_F(GateTest, DecidesByTheResourceOfTheRequest) {
  EXPECT_EQ(Stop(As("ann"), "stack/web-shop"), kOk);
  EXPECT_EQ(Stop(As("ann"), "stack/db"), kDenied);
  EXPECT_EQ(Stop(As("ann"), "server/edge"), kDenied);
  EXPECT_EQ(Stop(As("ann"), ""), kDenied);
  EXPECT_EQ(Stop(As("root"), "stack/db"), kOk);
  EXPECT_EQ(Stop(As("bob"), "stack/web-shop"), kDenied);
  EXPECT_EQ(Stop({.address = "10.0.0.1"}, "stack/web-shop"), absl::StatusCode::kUnauthenticated);
}

TEST_F(GateTest, WhomTheProviderVouchesForMayDoWhatTheClaimedGroupsMay) {
  Caller caller{.kind = Caller::Kind::kOidc, .name = "eve", .groups = {"ops"}};
  const Right execute(v1::PERMISSION_LEVEL_EXECUTE);
  EXPECT_TRUE(gate_->Check(caller, execute, "stack/web-shop").ok());
  EXPECT_EQ(gate_->Check(caller, execute, "stack/db").code(), kDenied);
  EXPECT_FALSE(gate_->IsAdmin(caller));
  EXPECT_THAT(gate_->GroupsOf(caller), ::testing::ElementsAre("ops"));
  // The name of an admin is no admin, and may then do nothing at all.
  caller.name = "root";
  EXPECT_EQ(gate_->Check(caller, execute, "stack/web-shop").code(), kDenied);
}

TEST_F(GateTest, RefusalSaysWhoWhatAndTheWayOut) {
  const Admission admission = gate_->Admit(kStop, StopOf("stack/db"), As("ann"));
  EXPECT_EQ(admission.status.message(),
            "user/ann may not do this: it needs \"execute\" on stack/db; a user_group or an admin "
            "can give it");
  EXPECT_EQ(admission.resource, "stack/db");
  EXPECT_THAT(gate_->Admit(kList, v1::ListResourcesRequest(), As("bob")).status.message(),
              HasSubstr("user/bob may do nothing yet"));
}

TEST_F(GateTest, DeclaredUsersHaveTheirOwnPermissions) {
  Declare(R"(
[[user_group]]
name = "ops"
all = { Server = "Read" }
[[user]]
name = "ann"
groups = ["ops"]
permissions = [{ target = { type = "Stack", id = "web-*" }, level = "Execute" }]
[[user]]
name = "off"
enabled = false
all = { Stack = "Write" }
)");
  EXPECT_EQ(Stop(As("ann"), "stack/web-shop"), kOk);
  EXPECT_EQ(Stop(As("ann"), "stack/db"), kDenied);
  EXPECT_EQ(Stop(As("bob"), "stack/web-shop"), kDenied);
  // Nobody gets at them by a group of that name.
  v1::LocalUser thief;
  thief.set_name("thief");
  for (const char* group : {"", "ann", "user/ann"}) thief.add_groups(group);
  ASSERT_TRUE(directory_->AddUser(thief).ok());
  EXPECT_EQ(Stop(As("thief"), "stack/web-shop"), kDenied);
  EXPECT_THAT(gate_->GroupsOf({.kind = Caller::Kind::kUser, .name = "ann"}), IsEmpty());
  // Not all that an unknown certificate may.
  const Credentials off{.has_certificate = true, .names = {"fairlead://user/off"}};
  EXPECT_EQ(Stop(off, "stack/web-shop"), kDenied);
}

TEST_F(GateTest, MethodWithoutARuleIsForNobody) {
  EXPECT_EQ(Admit("fairlead.v1.ResourceService.Invented", v1::StopRequest(), As("root")),
            absl::StatusCode::kInternal);
  std::vector<Rule> table = RuleTable();
  std::erase_if(table, [](const Rule& rule) { return rule.method == kStop; });
  const Rules rules(table);
  Gate gate(*authenticator_, *directory_, clock_, nullptr, {}, rules);
  EXPECT_EQ(gate.Admit(kStop, StopOf("stack/db"), As("root")).status.code(),
            absl::StatusCode::kInternal);
}

TEST_F(GateTest, AgentsAreNoPeople) {
  const Credentials agent{.has_certificate = true, .names = {"fairlead://server/edge-1"}};
  EXPECT_EQ(Stop(agent, "stack/web-shop"), kDenied);
  EXPECT_EQ(Admit("fairlead.v1.AccessService.WhoAmI", v1::WhoAmIRequest(), agent), kDenied);
  EXPECT_EQ(Admit("fairlead.v1.AgentService.Connect", v1::StopRequest(), agent), kOk);
  EXPECT_EQ(Admit("fairlead.v1.AgentService.Connect", v1::StopRequest(), As("root")), kDenied);
}

TEST_F(GateTest, CertificateIsTheOperatorsUnlessItsUserIsKnown) {
  const auto with = [](const std::string& name) {
    return Credentials{.has_certificate = true, .names = {"fairlead://user/" + name}};
  };
  EXPECT_EQ(Stop({.has_certificate = true}, "stack/db"), kOk);
  EXPECT_EQ(Stop(with("stranger"), "stack/db"), kOk);
  // Named by a group.
  EXPECT_EQ(Stop(with("cert-ann"), "stack/db"), kDenied);
  EXPECT_EQ(Stop(with("cert-ann"), "stack/web-shop"), kOk);
  // A local user.
  EXPECT_EQ(Stop(with("bob"), "stack/db"), kDenied);
  EXPECT_EQ(Stop(with("root"), "stack/db"), kOk);
  ASSERT_TRUE(directory_->ChangeUser("bob", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_EQ(Stop(with("bob"), "stack/db"), kDenied);
}

TEST_F(GateTest, GroupThatCannotBeReadStillLimitsWhomItNames) {
  Declare(R"(
[[user_group]]
name = "ops"
users = ["cert-ann"]
[[user_group.permission]]
target = { type = "Stack", id = "web-*" }
level = "Execute"
)");
  v1::Resource group;
  group.set_name("ops");
  group.mutable_user_group()->add_users("cert-ann");
  v1::Permission& permission = *group.mutable_user_group()->add_permissions();
  permission.mutable_target()->set_type(v1::RESOURCE_TYPE_STACK);
  permission.mutable_target()->set_id("\\(\\");
  permission.set_level(v1::PERMISSION_LEVEL_EXECUTE);
  ASSERT_FALSE(Grants::Compile({}, group.user_group().permissions()).ok());
  gate_->SetDeclared({group}, {{"stack", "web-shop", {}}});
  const Credentials ann{.has_certificate = true, .names = {"fairlead://user/cert-ann"}};
  EXPECT_EQ(Stop(ann, "stack/web-shop"), kDenied);
}

TEST_F(GateTest, CertificateOfAUserWaitsUntilAllGroupsAreRead) {
  // As after a start.
  gate_ = std::make_unique<Gate>(*authenticator_, *directory_, clock_, nullptr);
  const auto with = [](const std::string& name) {
    return Credentials{.has_certificate = true, .names = {name}};
  };
  const Credentials stranger = with("fairlead://user/stranger");
  const auto check = [&](absl::StatusCode of_stranger) {
    EXPECT_EQ(Stop(stranger, "stack/db"), of_stranger);
    EXPECT_EQ(Admit(kList, v1::ListResourcesRequest(), stranger), of_stranger);
    EXPECT_EQ(Admit("fairlead.v1.AccessService.ListAudit", v1::ListAuditRequest(), stranger),
              of_stranger);
    EXPECT_EQ(gate_->IsAdmin({.kind = Caller::Kind::kCertificate, .name = "stranger"}),
              of_stranger == kOk);
    // All others need no declaration.
    EXPECT_EQ(Stop(with("fairlead://person/anna"), "stack/db"), kOk);
    EXPECT_EQ(Stop({.has_certificate = true}, "stack/db"), kOk);
    EXPECT_EQ(Stop(with("fairlead://user/root"), "stack/db"), kOk);
    EXPECT_EQ(Stop(with("fairlead://user/bob"), "stack/db"), kDenied);
    EXPECT_EQ(Stop(As("root"), "stack/db"), kOk);
    EXPECT_EQ(Stop(AsKeyOf("", {}), "stack/db"), kOk);
    EXPECT_EQ(Admit("fairlead.v1.AgentService.Connect", v1::StopRequest(),
                    with("fairlead://server/edge-1")),
              kOk);
  };
  constexpr auto kWait = absl::StatusCode::kUnavailable;
  check(kWait);
  EXPECT_EQ(Admit("fairlead.v1.AccessService.WhoAmI", v1::WhoAmIRequest(), stranger), kOk);
  gate_->SetDeclared({}, {}, false);
  check(kWait);
  gate_->SetDeclared({}, {});
  check(kOk);
  // A source that is not read later keeps nobody out.
  gate_->SetDeclared({}, {}, false);
  check(kOk);
}

TEST_F(GateTest, KeyMayNoMoreThanItsPermissionsAndItsUser) {
  const Credentials narrow = AsKeyOf("root", {"stack:web-*:execute"});
  EXPECT_EQ(Stop(narrow, "stack/web-shop"), kOk);
  EXPECT_EQ(Stop(narrow, "stack/db"), kDenied);
  EXPECT_EQ(Admit("fairlead.v1.AccessService.ListAudit", v1::ListAuditRequest(), narrow), kDenied);
  const Credentials wide = AsKeyOf("ann", {"all:*:write"});
  EXPECT_EQ(Stop(wide, "stack/web-shop"), kOk);
  EXPECT_EQ(Stop(wide, "stack/db"), kDenied);
  const Credentials whole = AsKeyOf("ann", {});
  EXPECT_EQ(Stop(whole, "stack/web-shop"), kOk);
  EXPECT_EQ(Stop(whole, "stack/db"), kDenied);
  const Credentials own = AsKeyOf("", {"stack:db:execute"});
  EXPECT_EQ(Stop(own, "stack/db"), kOk);
  EXPECT_EQ(Stop(own, "stack/web-shop"), kDenied);
  EXPECT_EQ(Admit(kList, v1::ListResourcesRequest(), AsKeyOf("root", {"stack:a:none"})), kDenied);
}

TEST_F(GateTest, ChangesCountAtOnce) {
  const Credentials ann = As("ann");
  const Caller caller = gate_->Admit(kStop, StopOf("stack/web-shop"), ann).caller;
  EXPECT_TRUE(gate_->MayRead(caller, "stack/web-shop"));
  Declare("[[user_group]]\nname = \"ops\"\nusers = [\"ann\"]\nall = { Build = \"Read\" }\n");
  EXPECT_EQ(Stop(ann, "stack/web-shop"), kDenied);
  EXPECT_FALSE(gate_->MayRead(caller, "stack/web-shop"));
  EXPECT_TRUE(gate_->MayRead(caller, "build/api"));
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_admin(true); }).ok());
  EXPECT_TRUE(gate_->MayRead(caller, "stack/web-shop"));
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_FALSE(gate_->MayRead(caller, "build/api"));
}

TEST_F(GateTest, AllOfAKindNeedsTheKind) {
  v1::SyncRequest all;
  EXPECT_EQ(Admit(kSync, all, As("ann")), kDenied);
  EXPECT_EQ(Admit(kSync, all, As("root")), kOk);
  Declare(
      "[[user_group]]\nname = \"g\"\nusers = [\"ann\"]\n[[user_group.permission]]\n"
      "target = { type = \"ResourceSync\", id = \"main\" }\nlevel = \"Execute\"\n");
  EXPECT_EQ(Admit(kSync, all, As("ann")), kDenied);
  v1::SyncRequest one;
  one.set_sync("main");
  EXPECT_EQ(Admit(kSync, one, As("ann")), kOk);
  one.set_sync("other");
  EXPECT_EQ(Admit(kSync, one, As("ann")), kDenied);
}

TEST_F(GateTest, RunsBelongToTheirResource) {
  v1::RunLogRequest log;
  log.set_id("r1");
  const std::string method = "fairlead.v1.ExecutionService.RunLog";
  EXPECT_EQ(Admit(method, log, As("ann")), kOk);
  EXPECT_EQ(Admit(method, log, As("bob")), kDenied);
  v1::CancelRunRequest cancel;
  cancel.set_id("r1");
  EXPECT_EQ(Admit("fairlead.v1.ExecutionService.CancelRun", cancel, As("ann")), kDenied);
  EXPECT_EQ(gate_->Admit("fairlead.v1.ExecutionService.CancelRun", cancel, As("root")).resource,
            "procedure/nightly");
  // The handler says that there is none.
  log.set_id("none");
  EXPECT_EQ(Admit(method, log, As("ann")), kOk);
}

TEST_F(GateTest, GroupsOfAUserRecordCount) {
  EXPECT_EQ(Stop(As("bob"), "stack/web-shop"), kDenied);
  ASSERT_TRUE(directory_->ChangeUser("bob", [](v1::LocalUser& u) { u.add_groups("ops"); }).ok());
  const Admission admission = gate_->Admit(kStop, StopOf("stack/web-shop"), As("bob"));
  EXPECT_TRUE(admission.status.ok()) << admission.status;
  EXPECT_THAT(gate_->GroupsOf(admission.caller), ElementsAre("ops"));
  EXPECT_FALSE(gate_->IsAdmin(admission.caller));
}

TEST_F(GateTest, TooManyCallsAreRefusedByIdentity) {
  Gate gate(*authenticator_, *directory_, clock_, nullptr, {.per_second = 1, .at_once = 2});
  int limited = 0;
  std::vector<std::string> proven;
  gate.SetEvents({.on_proven = [&proven](const std::string& peer) { proven.push_back(peer); },
                  .on_limited = [&limited] { ++limited; }});
  const auto call = [&](Credentials credentials) {
    credentials.peer = "peer of " + credentials.address;
    return gate.Admit("fairlead.v1.AccessService.WhoAmI", v1::WhoAmIRequest(), credentials);
  };
  const Credentials root = As("root");
  EXPECT_TRUE(call(root).status.ok());
  EXPECT_TRUE(call(root).status.ok());
  const Admission refused = call(root);
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("user/root"));
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("try again in 1s"));
  EXPECT_FALSE(refused.is_told);
  EXPECT_TRUE(call(root).is_told);
  EXPECT_EQ(limited, 2);
  // Others are not concerned, from the same address neither.
  EXPECT_TRUE(call(As("bob")).status.ok());
  EXPECT_THAT(proven, ElementsAre("peer of 10.0.0.1", "peer of 10.0.0.1", "peer of 10.0.0.1"));
  // Who is not proven shares what the address may.
  for (const char* token : {"fl_key_wrong", "", "x"}) {
    const Admission stranger = call({.bearer = token, .address = "10.0.0.9"});
    EXPECT_EQ(stranger.status.code(), std::string(token) == "x"
                                          ? absl::StatusCode::kResourceExhausted
                                          : absl::StatusCode::kUnauthenticated);
  }
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(call(root).status.ok());
}

TEST(RulesTest, EachMethodHasOneRule) {
  std::set<std::string> seen;
  for (const Rule& rule : RuleTable()) {
    EXPECT_TRUE(seen.insert(rule.method).second) << rule.method;
    const bool has_field = rule.target == Target::kResource || rule.target == Target::kNamed ||
                           rule.target == Target::kRun;
    EXPECT_TRUE(!has_field || !rule.field.empty()) << rule.method;
    EXPECT_TRUE(rule.target != Target::kNamed || !rule.kind.empty()) << rule.method;
  }
}

}  // namespace
}  // namespace fairlead::access
