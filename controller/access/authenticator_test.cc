#include "controller/access/authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/testing/simulated_clock.h"
#include "controller/access/passwords.h"
#include "controller/access/secret.h"
#include "controller/store/testing/fake_store.h"

namespace fairlead::access {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuthenticatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = Directory::Load({}, store_);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    authenticator_ =
        std::make_unique<Authenticator>(*directory_, sessions_, clock_, AuthenticatorOptions{});
  }
  void AddUser(const std::string& name, bool admin = false) {
    v1::LocalUser user;
    user.set_name(name);
    user.set_password_hash(*HashPassword(kPassword));
    user.set_admin(admin);
    const absl::Status status = directory_->AddUser(user);
    ASSERT_TRUE(status.ok()) << status;
  }
  // The text of a new key.
  std::string AddKey(v1::ApiKey key) {
    const Secret secret = NewSecret(kKeyKind);
    key.set_id(secret.id);
    key.set_prefix("flk_" + secret.id);
    key.set_secret_hash(Sha256(secret.secret));
    if (key.name().empty()) key.set_name("ci");
    const absl::Status status = directory_->AddKey(key);
    EXPECT_TRUE(status.ok()) << status;
    return secret.Text();
  }
  absl::StatusOr<Caller> WithBearer(const std::string& bearer,
                                    const std::string& address = "10.0.0.1") {
    return authenticator_->Authenticate({.bearer = bearer, .address = address});
  }

  static constexpr char kPassword[] = "correct horse";
  store::FakeStore store_;
  base::SimulatedClock clock_;
  Sessions sessions_{store::StoreImage(), store_, clock_.Now()};
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, WithoutAnythingNobodyIsKnown) {
  const auto caller = authenticator_->Authenticate({.address = "10.0.0.1"});
  EXPECT_EQ(caller.status().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, CertificatesNameAgentsPeopleAndTheOperator) {
  struct Case {
    std::vector<std::string> names;
    std::string expected;
  };
  for (const Case& each :
       {Case{{"fairlead://server/edge-1"}, "agent/edge-1"},
        Case{{"fairlead://user/ann"}, "certificate/ann"},
        Case{{"127.0.0.1"}, "certificate/operator"}, Case{{}, "certificate/operator"},
        Case{{"fairlead://user/ann", "fairlead://server/e"}, "agent/e"}}) {
    const auto caller =
        authenticator_->Authenticate({.has_certificate = true, .names = each.names});
    ASSERT_TRUE(caller.ok()) << caller.status();
    EXPECT_EQ(caller->Text(), each.expected);
  }
}

TEST_F(AuthenticatorTest, DevNeedsNothingButAWrongBearerIsRefusedThereToo) {
  Authenticator dev(*directory_, sessions_, clock_, {.dev = true});
  EXPECT_EQ(dev.Authenticate({.address = "127.0.0.1"})->Text(), "dev");
  EXPECT_EQ(dev.Authenticate({.address = "127.0.0.1"})->Who(), "operator");
  EXPECT_EQ(dev.Authenticate({.bearer = "x"}).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(dev.Authenticate({.bearer = NewSecret(kKeyKind).Text()}).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticatorTest, KeyIsItsUserUntilItEnds) {
  AddUser("ann");
  v1::ApiKey key;
  key.set_user("ann");
  *key.mutable_expires() = base::ToProto(clock_.Now() + absl::Hours(1));
  const std::string text = AddKey(key);
  const auto caller = WithBearer(text);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->Text(), "key/ann/ci");
  EXPECT_EQ(caller->Who(), "ann/ci");
  EXPECT_EQ(caller->expires, clock_.Now() + absl::Hours(1));
  clock_.Advance(absl::Hours(1));
  EXPECT_THAT(WithBearer(text).status().message(), HasSubstr("revoked or expired"));
}

TEST_F(AuthenticatorTest, KeyEndsWithItsRevocationAndWithItsUser) {
  AddUser("ann");
  AddUser("root", true);
  v1::ApiKey key;
  key.set_user("ann");
  const std::string first = AddKey(key);
  key.set_name("other");
  const std::string second = AddKey(key);
  ASSERT_TRUE(directory_->RevokeKey(ParseSecret(first)->id).ok());
  EXPECT_FALSE(WithBearer(first).ok());
  EXPECT_TRUE(WithBearer(second).ok());
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_FALSE(WithBearer(second).ok());
}

TEST_F(AuthenticatorTest, KeyWithAWrongSecretIsRefused) {
  std::string text = AddKey({});
  ASSERT_TRUE(WithBearer(text).ok());
  text.back() = text.back() == '0' ? '1' : '0';
  EXPECT_THAT(WithBearer(text).status().message(), HasSubstr("no such API key"));
}

TEST_F(AuthenticatorTest, WrongKeysLockNobodyOut) {
  AddUser("ann");
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(WithBearer(NewSecret(kKeyKind).Text(), "10.0.0.1").ok());
  }
  EXPECT_TRUE(authenticator_->CheckPassword("ann", kPassword, "10.0.0.1").ok());
}

TEST_F(AuthenticatorTest, KeyKeepsToItsNetworks) {
  v1::ApiKey key;
  key.add_cidrs("10.0.0.0/8");
  key.add_cidrs("::1");
  const std::string text = AddKey(key);
  EXPECT_TRUE(WithBearer(text, "10.9.9.9").ok());
  EXPECT_TRUE(WithBearer(text, "::1").ok());
  EXPECT_THAT(WithBearer(text, "192.168.0.1").status().message(),
              HasSubstr("may not be used from 192.168.0.1"));
  EXPECT_FALSE(WithBearer(text, "unix").ok());
}

TEST_F(AuthenticatorTest, SessionEndsByTimeByLogoutAndWithItsUser) {
  AddUser("ann");
  AddUser("root", true);
  const auto open = [this] { return sessions_.Open("ann", clock_.Now()).token; };
  std::string token = open();
  EXPECT_EQ(WithBearer(token)->Text(), "user/ann");
  clock_.Advance(absl::Hours(12));
  EXPECT_THAT(WithBearer(token).status().message(), HasSubstr("fairlead login"));
  token = open();
  sessions_.End(ParseSecret(token)->id);
  EXPECT_FALSE(WithBearer(token).ok());
  token = open();
  const std::string kept = open();
  sessions_.EndAllOf("ann", ParseSecret(kept)->id);
  EXPECT_FALSE(WithBearer(token).ok());
  EXPECT_TRUE(WithBearer(kept).ok());
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_FALSE(WithBearer(kept).ok());
}

TEST_F(AuthenticatorTest, SessionsAreOfTheSameCallersAfterARestart) {
  AddUser("ann");
  AddUser("root", true);
  const std::string local = sessions_.Open("ann", clock_.Now()).token;
  const std::string claimed =
      sessions_.Open("bob", clock_.Now(), std::vector<std::string>{"web"}).token;
  const store::StoreImage image = *store_.Load();
  directory_ = *Directory::Load(image, store_);
  Sessions sessions(image, store_, clock_.Now());
  Authenticator again(*directory_, sessions, clock_, {});
  EXPECT_EQ(again.Authenticate({.bearer = local})->Text(), "user/ann");
  const auto caller = again.Authenticate({.bearer = claimed});
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->Text(), "oidc/bob");
  EXPECT_THAT(caller->groups, ElementsAre("web"));
  EXPECT_EQ(caller->expires, clock_.Now() + absl::Hours(12));
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_FALSE(again.Authenticate({.bearer = local}).ok());
}

TEST_F(AuthenticatorTest, SessionOfTheProviderEndsWhenALocalUserTakesItsName) {
  const auto claimed = std::vector<std::string>{"web"};
  const std::string token = sessions_.Open("ann", clock_.Now(), claimed).token;
  const auto caller = WithBearer(token);
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(caller->Text(), "oidc/ann");
  EXPECT_EQ(caller->groups, claimed);
  AddUser("ann");
  EXPECT_THAT(WithBearer(token).status().message(), HasSubstr("local user of that name"));
}

TEST_F(AuthenticatorTest, PasswordsOfNobodyAndOfTheDisabledFailAlike) {
  AddUser("ann");
  AddUser("root", true);
  EXPECT_TRUE(authenticator_->CheckPassword("ann", kPassword, "a").ok());
  const absl::Status wrong = authenticator_->CheckPassword("ann", "wrong", "a").status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(authenticator_->CheckPassword("nobody", kPassword, "a").status(), wrong);
  ASSERT_TRUE(directory_->ChangeUser("ann", [](v1::LocalUser& u) { u.set_disabled(true); }).ok());
  EXPECT_EQ(authenticator_->CheckPassword("ann", kPassword, "a").status(), wrong);
}

TEST_F(AuthenticatorTest, TooManyWrongPasswordsLockOutEvenTheRightOne) {
  AddUser("ann");
  for (int i = 0; i < 6; ++i)
    authenticator_->CheckPassword("ann", "wrong", "a").status().IgnoreError();
  const absl::Status status = authenticator_->CheckPassword("ann", kPassword, "a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(authenticator_->CheckPassword("ann", kPassword, "a").ok());
}

TEST_F(AuthenticatorTest, FirstTokenIsGoodForOneUser) {
  const std::string first = *directory_->MakeFirstToken();
  const std::string second = *directory_->MakeFirstToken();
  EXPECT_FALSE(authenticator_->CheckFirstToken(first, "a").ok());
  EXPECT_TRUE(authenticator_->CheckFirstToken(second, "a").ok());
  // It is no session.
  EXPECT_FALSE(WithBearer(second).ok());
  AddUser("ann", true);
  EXPECT_FALSE(authenticator_->CheckFirstToken(second, "a").ok());
  EXPECT_FALSE(directory_->MakeFirstToken().ok());
  EXPECT_EQ(directory_->AddFirstUser({}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AuthenticatorTest, WhatIsStoredIsThereAfterARestart) {
  AddUser("ann", true);
  v1::ApiKey key;
  key.set_user("ann");
  const std::string text = AddKey(key);
  directory_ = *Directory::Load(*store_.Load(), store_);
  Authenticator again(*directory_, sessions_, clock_, {});
  EXPECT_EQ(again.Authenticate({.bearer = text})->Text(), "key/ann/ci");
  EXPECT_TRUE(again.CheckPassword("ann", kPassword, "a").ok());
  const store::StoreImage image = *store_.Load();
  for (const auto& user : image.users) {
    EXPECT_THAT(user.SerializeAsString(), ::testing::Not(HasSubstr(kPassword)));
  }
  for (const auto& stored : image.api_keys) {
    EXPECT_THAT(stored.SerializeAsString(), ::testing::Not(HasSubstr(ParseSecret(text)->secret)));
  }
}

TEST_F(AuthenticatorTest, LastAdminStays) {
  AddUser("ann", true);
  const auto disable = [](v1::LocalUser& user) { user.set_disabled(true); };
  EXPECT_THAT(directory_->ChangeUser("ann", disable).message(), HasSubstr("only admin"));
  EXPECT_TRUE(authenticator_->CheckPassword("ann", kPassword, "a").ok());
  AddUser("root", true);
  EXPECT_TRUE(directory_->ChangeUser("ann", disable).ok());
}

TEST_F(AuthenticatorTest, ChangeThatIsNotStoredDoesNotCount) {
  AddUser("ann", true);
  store_.apply_fails = true;
  EXPECT_FALSE(directory_
                   ->AddUser([] {
                     v1::LocalUser user;
                     user.set_name("bob");
                     return user;
                   }())
                   .ok());
  EXPECT_EQ(directory_->identities()->users.size(), 1u);
}

TEST_F(AuthenticatorTest, NamesAndKeysAreChecked) {
  for (const std::string name : {"", "-a", "a b", "a/b", "\n"}) {
    EXPECT_EQ(CheckUserName(name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(CheckUserName("ann.b-c_d@example.org").ok());
  AddKey({});
  v1::ApiKey again;
  again.set_id("x");
  again.set_name("ci");
  EXPECT_EQ(directory_->AddKey(again).code(), absl::StatusCode::kAlreadyExists);
  again.set_name("other");
  again.add_cidrs("nonsense");
  EXPECT_EQ(directory_->AddKey(again).code(), absl::StatusCode::kInvalidArgument);
}

v1::LocalUser DeclaredUser(const std::string& name, const std::vector<std::string>& groups = {}) {
  v1::LocalUser user;
  user.set_name(name);
  user.set_declared_by("resource_sync/main");
  user.mutable_groups()->Assign(groups.begin(), groups.end());
  return user;
}

class DeclaredUserTest : public ::testing::Test {
 protected:
  std::vector<std::string> Declare(const DeclaredUsers& users) {
    const auto changes = directory_->SetDeclared(users);
    EXPECT_TRUE(changes.ok()) << changes.status();
    std::vector<std::string> texts;
    for (const UserChange& change : changes.value_or(std::vector<UserChange>())) {
      texts.push_back(absl::StrCat(change.is_warning ? "! " : "", change.user, " ", change.text));
    }
    return texts;
  }
  const v1::LocalUser& User(const std::string& name) {
    identities_ = directory_->identities();
    return identities_->users.at(name);
  }

  store::FakeStore store_;
  std::unique_ptr<Directory> directory_ = *Directory::Load({}, store_);
  std::shared_ptr<const Identities> identities_;
};

TEST_F(DeclaredUserTest, AreMadeChangedAndDisabledButNeverRemoved) {
  EXPECT_THAT(Declare({.users = {DeclaredUser("ann", {"ops"})}}),
              ElementsAre("ann declared by resource_sync/main: enabled"));
  EXPECT_THAT(Declare({.users = {DeclaredUser("ann", {"ops"})}}), IsEmpty());
  EXPECT_THAT(User("ann").groups(), ElementsAre("ops"));
  EXPECT_THAT(Declare({.users = {DeclaredUser("ann", {"web"})}}), SizeIs(1));
  EXPECT_THAT(User("ann").groups(), ElementsAre("web"));
  EXPECT_THAT(Declare({}), ElementsAre("ann disabled: no longer declared by resource_sync/main"));
  EXPECT_TRUE(User("ann").disabled());
  EXPECT_FALSE(User("ann").declared());
  // From here on an admin may change it.
  EXPECT_TRUE(directory_->ChangeUser("ann", [](auto& user) { user.set_disabled(false); }).ok());
  EXPECT_THAT(Declare({}), IsEmpty());
  const auto image = store_.Load();
  ASSERT_TRUE(image.ok());
  ASSERT_EQ(image->users.size(), 1u);
  EXPECT_FALSE(image->users[0].disabled());
}

TEST_F(DeclaredUserTest, CallsDoNotChangeWhatIsDeclared) {
  Declare({.users = {DeclaredUser("ann", {"ops"})}});
  for (const std::function<void(v1::LocalUser&)>& change :
       {std::function<void(v1::LocalUser&)>([](auto& user) { user.set_disabled(true); }),
        std::function<void(v1::LocalUser&)>([](auto& user) { user.add_groups("more"); })}) {
    const absl::Status status = directory_->ChangeUser("ann", change);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("declared by resource_sync/main"));
  }
  EXPECT_TRUE(directory_->ChangeUser("ann", [](auto& user) { user.set_password_hash("x"); }).ok());
  v1::LocalUser again;
  again.set_name("ann");
  const absl::Status added = directory_->AddUser(again);
  EXPECT_EQ(added.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(added.message()), HasSubstr("fairlead user password ann"));
}

TEST_F(DeclaredUserTest, StayAsTheyAreWhileTheirDeclarationCannotBeRead) {
  Declare({.users = {DeclaredUser("ann", {"ops"})}});
  EXPECT_THAT(Declare({.unreadable = {"ann"}}), IsEmpty());
  EXPECT_THAT(Declare({.unreadable_origins = {"resource_sync/main"}}), IsEmpty());
  EXPECT_TRUE(User("ann").declared());
  EXPECT_FALSE(User("ann").disabled());
}

TEST_F(DeclaredUserTest, TheOnlyAdminStaysEnabled) {
  Declare({.users = {DeclaredUser("ann")}});
  ASSERT_TRUE(directory_->ChangeUser("ann", [](auto& user) { user.set_admin(true); }).ok());
  v1::LocalUser off = DeclaredUser("ann");
  off.set_disabled(true);
  EXPECT_THAT(Declare({.users = {off}}), ElementsAre("! ann is the only admin and stays enabled"));
  EXPECT_THAT(Declare({}), ElementsAre("! ann is the only admin and stays enabled"));
  EXPECT_FALSE(User("ann").disabled());
}

TEST_F(DeclaredUserTest, DoNotTakeTheTokenOfTheFirstStart) {
  Declare({.users = {DeclaredUser("ann")}});
  const auto token = directory_->MakeFirstToken();
  ASSERT_TRUE(token.ok()) << token.status();
  v1::LocalUser root;
  root.set_name("root");
  root.set_admin(true);
  EXPECT_TRUE(directory_->AddFirstUser(root).ok());
  EXPECT_FALSE(directory_->IsFirstToken(*token));
}

TEST_F(DeclaredUserTest, WhatCannotBeStoredIsNotShown) {
  store_.apply_fails = true;
  EXPECT_FALSE(directory_->SetDeclared({.users = {DeclaredUser("ann")}}).ok());
  EXPECT_TRUE(directory_->identities()->users.empty());
}

}  // namespace
}  // namespace fairlead::access
