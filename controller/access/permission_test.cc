#include "controller/access/permission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

#include "resources/toml_reader.h"

namespace fairlead::access {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Subject Of(const std::string& kind, const std::string& name, std::vector<std::string> tags = {}) {
  return {kind, name, std::move(tags)};
}

// The grants of [[user_group]] text, as a declaration is read.
Policy::Group GroupOf(const std::string& toml) {
  const resources::ParsedFile file = resources::ReadToml("a.toml", toml, v1::DIALECT_TOML);
  EXPECT_EQ(file.declarations.size(), 1u) << toml;
  const v1::Resource& resource = *file.declarations.front().spec;
  const v1::UserGroup& group = resource.user_group();
  absl::StatusOr<Grants> grants = Grants::Compile(group.all(), group.permissions());
  EXPECT_TRUE(grants.ok()) << grants.status();
  return {resource.name(),
          group.everyone(),
          {group.users().begin(), group.users().end()},
          *std::move(grants)};
}

constexpr char kOperators[] = R"(
[[user_group]]
name = "operators"
users = ["ann"]
all = { Server = "Read", Stack = { level = "Read", specific = ["Logs"] } }
[[user_group.permission]]
target = { type = "Stack", id = "web-*" }
level = "Execute"
[[user_group.permission]]
target = { type = "Stack", id = '\^db-[0-9]+$\' }
level = "Write"
specific = ["Terminal"]
[[user_group.permission]]
target = { type = "Deployment", id = "tag:critical" }
level = "Read"
[[user_group.permission]]
target = { type = "Deployment", id = "api" }
specific = ["Inspect"]
)";

TEST(PermissionTest, LevelsAndSpecificsByNameWildcardRegexTagAndKind) {
  const Grants grants = GroupOf(kOperators).grants;
  struct Case {
    Subject subject;
    std::string expected;
  };
  for (const Case& each : {
           Case{Of("stack", "metrics"), "read+logs"},
           Case{Of("stack", "web-shop"), "execute+logs"},
           Case{Of("stack", "web-"), "execute+logs"},
           Case{Of("stack", "my-web-shop"), "read+logs"},
           Case{Of("stack", "db-12"), "write+terminal+logs"},
           Case{Of("stack", "db-12a"), "read+logs"},
           Case{Of("server", "edge-1"), "read"},
           Case{Of("deployment", "api"), "none+inspect"},
           Case{Of("deployment", "api", {"critical"}), "read+inspect"},
           Case{Of("deployment", "other", {"small", "critical"}), "read"},
           Case{Of("deployment", "tag:critical"), "none"},
           Case{Of("deployment", "other", {"criticality"}), "none"},
           Case{Of("build", "web-shop"), "none"},
           Case{Of("variable", "A"), "none"},
           Case{Of("user_group", "operators"), "none"},
           Case{Of("", ""), "none"},
       }) {
    EXPECT_EQ(grants.Of(each.subject).Text(), each.expected)
        << each.subject.kind << "/" << each.subject.name << " "
        << absl::StrJoin(each.subject.tags, ",");
  }
}

TEST(PermissionTest, NeedsAreCoveredByLevelAndSpecific) {
  const Right read_logs(v1::PERMISSION_LEVEL_READ, v1::SPECIFIC_PERMISSION_LOGS);
  EXPECT_FALSE(Right(v1::PERMISSION_LEVEL_WRITE).Covers(read_logs));
  EXPECT_TRUE(read_logs.Covers(Right(v1::PERMISSION_LEVEL_READ)));
  EXPECT_FALSE(read_logs.Covers(Right(v1::PERMISSION_LEVEL_EXECUTE)));
  EXPECT_TRUE(Right::All().Covers(read_logs));
  EXPECT_TRUE(Right().Covers(Right()));
  EXPECT_EQ(read_logs.And(Right(v1::PERMISSION_LEVEL_WRITE)), Right(v1::PERMISSION_LEVEL_READ));
  EXPECT_EQ(Right(v1::PERMISSION_LEVEL_EXECUTE).Or(read_logs).Text(), "execute+logs");
}

TEST(PermissionTest, WhatTargetsCannotNameBelongsToSystem) {
  const Grants grants =
      GroupOf("[[user_group]]\nname = \"a\"\nall = { System = \"Read\" }\n").grants;
  EXPECT_EQ(grants.Of(Of("variable", "A")).Text(), "read");
  EXPECT_EQ(grants.Of(Of("user_group", "a")).Text(), "read");
  EXPECT_EQ(grants.OfKind("system").Text(), "read");
  EXPECT_EQ(grants.Of(Of("stack", "a")).Text(), "none");
}

TEST(PermissionTest, RegexThatCannotBeReadIsNamed) {
  v1::ApiKey key;
  const absl::Status status = AddPermission("stack:\\([\\:read", key);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("regex"));
}

TEST(PolicyTest, GroupsOfAUserAddUp) {
  const Policy policy(
      {GroupOf(kOperators),
       GroupOf("[[user_group]]\nname = \"all\"\neveryone = true\nall = { Build = \"Read\" }\n"),
       GroupOf("[[user_group]]\nname = \"named\"\nall = { Stack = \"Write\" }\n")},
      {Of("stack", "web-shop"), Of("build", "api"), Of("deployment", "db", {"critical"})});
  const auto ann = policy.GroupsOf("ann", {});
  EXPECT_THAT(ann, ElementsAre(0, 1));
  EXPECT_EQ(policy.Of(ann, "stack/web-shop").Text(), "execute+logs");
  EXPECT_EQ(policy.Of(ann, "build/api").Text(), "read");
  EXPECT_EQ(policy.Of(ann, "deployment/db").Text(), "read");
  EXPECT_EQ(policy.Of(ann, "deployment/other").Text(), "none");
  // Not declared yet.
  EXPECT_EQ(policy.Of(ann, "stack/web-new").Text(), "execute+logs");
  EXPECT_EQ(policy.OfKind(ann, "stack").Text(), "read+logs");

  const auto bob = policy.GroupsOf("bob", {"named", "no such"});
  EXPECT_THAT(bob, ElementsAre(1, 2));
  EXPECT_EQ(policy.Of(bob, "stack/web-shop").Text(), "write");
  EXPECT_TRUE(policy.Names("ann"));
  EXPECT_FALSE(policy.Names("bob"));
}

TEST(PolicyTest, WithoutGroupsNothingIsAllowed) {
  const Policy policy;
  EXPECT_THAT(policy.GroupsOf("ann", {"a"}), IsEmpty());
  EXPECT_TRUE(policy.AllowsNothing({}));
  EXPECT_TRUE(policy.Of({}, "stack/web").empty());
  const Policy empty_group({GroupOf("[[user_group]]\nname = \"a\"\nusers = [\"ann\"]\n")}, {});
  EXPECT_TRUE(empty_group.AllowsNothing({0}));
}

TEST(PermissionTextTest, ComesBackAsItWasWritten) {
  for (const std::string text : {"stack:web-*:execute+logs", "deployment:tag:critical:read",
                                 "system:*:read", "stack:\\^a:b$\\:none+terminal+inspect"}) {
    v1::ApiKey key;
    const absl::Status status = AddPermission(text, key);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_THAT(PermissionTexts(key), ElementsAre(text));
  }
}

TEST(PermissionTextTest, AllIsEveryKindOfResource) {
  v1::ApiKey key;
  ASSERT_TRUE(AddPermission("all:*:read", key).ok());
  const auto grants = Grants::Compile(key.all(), key.permissions());
  EXPECT_EQ(grants->Of(Of("stack", "a")).Text(), "read");
  EXPECT_EQ(grants->Of(Of("resource_sync", "a")).Text(), "read");
  EXPECT_EQ(grants->OfKind("system").Text(), "none");
}

TEST(PermissionTextTest, WhatIsWrongIsSaid) {
  struct Case {
    std::string text;
    std::string expected;
  };
  for (const Case& each :
       {Case{"stack", "KIND:NAME:LEVEL"}, Case{"stack:read", "KIND:NAME:LEVEL"},
        Case{"stak:a:read", "\"stak\" is no kind"}, Case{"stack:a:rule", "\"rule\" is no level"},
        Case{"stack:a:read+log", "terminal, attach, inspect, logs, processes"},
        Case{"all:web:read", "the name is *"}, Case{"", "KIND:NAME:LEVEL"}}) {
    v1::ApiKey key;
    const absl::Status status = AddPermission(each.text, key);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << each.text;
    EXPECT_THAT(status.message(), HasSubstr(each.expected)) << each.text;
  }
}

}  // namespace
}  // namespace fairlead::access
