// [[user]] against a whole controller without agents.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "controller/declared_users.h"
#include "controller/testing/controller_fixture.h"
#include "fairlead/v1/access_service.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(30);
constexpr char kPassword[] = "correct horse battery";

class DeclaredUsersTest : public ControllerFixture {
 protected:
  DeclaredUsersTest() {
    Start(Options());
    access_ = StubOf<v1::AccessService>();
    resources_ = StubOf<v1::ResourceService>();
  }
  // Empty when there is none.
  v1::UserView User(const std::string& name) {
    v1::ListUsersResponse users;
    EXPECT_TRUE(
        Call(access_, &v1::AccessService::Stub::ListUsers, v1::ListUsersRequest(), &users).ok());
    for (const v1::UserView& user : users.users()) {
      if (user.name() == name) return user;
    }
    return {};
  }
  // Users follow a commit on a thread of their own.
  template <typename Condition>
  bool Eventually(const Condition& condition) {
    const absl::Time end = base::Clock::Real().Now() + kLimit;
    while (base::Clock::Real().Now() < end) {
      if (condition()) return true;
    }
    return false;
  }

  std::unique_ptr<v1::AccessService::Stub> access_;
  std::unique_ptr<v1::ResourceService::Stub> resources_;
};

TEST_F(DeclaredUsersTest, AreChangedByTheirDeclarationAlone) {
  ASSERT_TRUE(
      Apply("[[user]]\nname = \"cy\"\nall = { Server = \"Read\" }\n[[server]]\nname = \"edge\"\n")
          .ok());
  ASSERT_TRUE(Eventually([&] { return User("cy").declared_by() == "api"; }));

  v1::ChangeUserRequest change;
  change.set_name("cy");
  change.set_disabled(true);
  v1::ChangeUserResponse changed;
  const grpc::Status refused =
      Call(access_, &v1::AccessService::Stub::ChangeUser, change, &changed);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("declared by api"));

  v1::SetPasswordRequest password;
  password.set_name("cy");
  password.set_password(kPassword);
  v1::SetPasswordResponse set;
  ASSERT_TRUE(Call(access_, &v1::AccessService::Stub::SetPassword, password, &set).ok());
  v1::LoginRequest credentials;
  credentials.set_user("cy");
  credentials.set_password(kPassword);
  v1::LoginResponse session;
  ASSERT_TRUE(Call(access_, &v1::AccessService::Stub::Login, credentials, &session).ok());

  const auto read = [&](v1::ListResourcesResponse& response) {
    return Call(resources_, &v1::ResourceService::Stub::ListResources, v1::ListResourcesRequest(),
                &response, session.token());
  };
  v1::ListResourcesResponse seen;
  ASSERT_TRUE(read(seen).ok());
  ASSERT_EQ(seen.resources_size(), 1);
  EXPECT_EQ(seen.resources(0).status().resource(), "server/edge");

  ASSERT_TRUE(Apply("[[user]]\nname = \"cy\"\nenabled = false\n").ok());
  EXPECT_TRUE(Eventually([&] { return User("cy").disabled(); }));
  v1::ListResourcesResponse none;
  EXPECT_EQ(read(none).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

// Null: what cannot be read.
void Put(sync::DesiredState& desired, const std::string& kind, const std::string& name,
         std::shared_ptr<const v1::Resource> spec) {
  auto resource = std::make_shared<sync::DesiredResource>();
  resource->id = {kind, name};
  resource->spec = std::move(spec);
  desired.resources[resource->id] = resource;
}

std::shared_ptr<const v1::Resource> GroupOf(const std::string& name, const std::string& user) {
  auto group = std::make_shared<v1::Resource>();
  group->set_name(name);
  group->mutable_user_group()->add_users(user);
  return group;
}

TEST(DeclaredGroupsTest, WhatCannotBeReadStaysAsItWas) {
  DeclaredGroups groups;
  sync::DesiredState desired;
  desired.complete = true;
  Put(desired, "user_group", "ops", GroupOf("ops", "ann"));
  Put(desired, "user_group", "web", GroupOf("web", "bob"));
  groups.Follow(desired);
  EXPECT_TRUE(groups.is_complete());
  ASSERT_EQ(groups.All().size(), 2u);
  Put(desired, "user_group", "ops", nullptr);
  desired.resources.erase(resources::ResourceId{"user_group", "web"});
  // Twice: what stayed stays.
  for (int i = 0; i < 2; ++i) {
    groups.Follow(desired);
    EXPECT_TRUE(groups.is_complete());
    ASSERT_EQ(groups.All().size(), 1u);
    EXPECT_THAT(groups.All()[0].user_group().users(), ElementsAre("ann"));
  }
}

TEST(DeclaredGroupsTest, AreCompleteWhenEachIsKnown) {
  DeclaredGroups groups;
  sync::DesiredState desired;
  EXPECT_FALSE(groups.is_complete());
  groups.Follow(desired);
  EXPECT_FALSE(groups.is_complete());
  desired.complete = true;
  groups.Follow(desired);
  EXPECT_TRUE(groups.is_complete());
  // Nobody knows whom it names.
  Put(desired, "user_group", "ops", nullptr);
  groups.Follow(desired);
  EXPECT_FALSE(groups.is_complete());
  Put(desired, "user_group", "ops", GroupOf("ops", "ann"));
  groups.Follow(desired);
  EXPECT_TRUE(groups.is_complete());
}

}  // namespace
}  // namespace fairlead::controller
