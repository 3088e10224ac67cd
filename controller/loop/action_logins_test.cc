#include "controller/loop/action_logins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "controller/loop/git_login.h"
#include "resources/testing/read_resource.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

controller::Accounts Known() {
  const std::string path = ::testing::TempDir() + "/action_logins_accounts.toml";
  const std::string key = ::testing::TempDir() + "/action_logins_key";
  const std::string hosts = ::testing::TempDir() + "/action_logins_hosts";
  EXPECT_TRUE(base::WriteFileAtomically(key, "the key", 0600).ok());
  EXPECT_TRUE(base::WriteFileAtomically(hosts, "the hosts").ok());
  EXPECT_TRUE(base::WriteFileAtomically(path,
                                        "[[docker_registry]]\ndomain = \"r.example.com:5000\"\n"
                                        "accounts = [{ username = \"ci\", token = \"t0ken\" }]\n"
                                        "[[git_provider]]\ndomain = \"git.example.com\"\n"
                                        "accounts = [{ username = \"deploy\", token = \"a/b\" },\n"
                                        "{ username = \"keys\", ssh_key_file = "
                                        "\"action_logins_key\", known_hosts_file = "
                                        "\"action_logins_hosts\" }]\n",
                                        0600)
                  .ok());
  const auto accounts = controller::Accounts::Load(path);
  EXPECT_TRUE(accounts.ok()) << accounts.status();
  for (const std::string& file : {path, key, hosts}) std::filesystem::remove(file);
  return accounts.ok() ? *accounts : controller::Accounts();
}

TEST(ActionLoginsTest, AStackLogsInWhereItSays) {
  v1::Action action;
  action.mutable_apply_stack();
  const v1::Resource stack =
      resources::ReadStack("registry_provider = \"r.example.com:5000\"\nregistry_account = \"ci\"");
  ASSERT_TRUE(AddLogins(Known(), stack, &action).ok());
  ASSERT_EQ(action.apply_stack().logins_size(), 1);
  EXPECT_EQ(action.apply_stack().logins(0).secret(), "t0ken");
  EXPECT_THAT(action.secrets(), ElementsAre("t0ken"));
  v1::Action check;
  check.mutable_check_stack();
  ASSERT_TRUE(AddLogins(Known(), stack, &check).ok());
  EXPECT_EQ(check.check_stack().stack().logins_size(), 1);
  v1::Action removal;
  removal.mutable_remove_stack();
  ASSERT_TRUE(AddLogins(Known(), stack, &removal).ok());
  EXPECT_THAT(removal.secrets(), IsEmpty());
}

TEST(ActionLoginsTest, ADeploymentLogsInAtTheRegistryOfItsImage) {
  const v1::Resource deployment =
      resources::ReadDeployment("image = \"x\"\nimage_registry_account = \"ci\"");
  v1::Action action;
  action.mutable_check()->mutable_apply()->mutable_spec()->set_image("r.example.com:5000/a/b:1");
  ASSERT_TRUE(AddLogins(Known(), deployment, &action).ok());
  EXPECT_EQ(action.check().apply().login().username(), "ci");
  action.mutable_check()->mutable_apply()->mutable_spec()->set_image("library/nginx");
  const absl::Status missing = AddLogins(Known(), deployment, &action);
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("image_registry_account"));
}

TEST(GitLoginTest, OnlyTheServerOfTheAccountGetsItsToken) {
  const controller::Accounts known = Known();
  const auto url_of = [&](const std::string& url, const std::string& account) {
    git::FetchRequest request;
    EXPECT_TRUE(AddAddress(&known, url, account, &request).ok());
    EXPECT_EQ(request.ssh_key, "");
    return request.url;
  };
  EXPECT_EQ(url_of("https://git.example.com/x", ""), "https://git.example.com/x");
  EXPECT_EQ(url_of("https://git.example.com/x", "deploy"),
            "https://deploy:a%2fb@git.example.com/x");
  git::FetchRequest request;
  EXPECT_EQ(AddAddress(&known, "https://other.example.com/x", "deploy", &request).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(AddAddress(nullptr, "https://git.example.com/x", "deploy", &request).code(),
            absl::StatusCode::kNotFound);
}

TEST(GitLoginTest, AnSshAddressNeedsAnAccountWithAKey) {
  const controller::Accounts known = Known();
  git::FetchRequest request;
  ASSERT_TRUE(AddAddress(&known, "git@git.example.com:x", "keys", &request).ok());
  EXPECT_EQ(request.url, "git@git.example.com:x");
  EXPECT_EQ(request.ssh_key, "the key");
  EXPECT_EQ(request.known_hosts, "the hosts");
  const absl::Status no_key = AddAddress(&known, "git@git.example.com:x", "deploy", &request);
  EXPECT_EQ(no_key.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(no_key.message()), HasSubstr("add ssh_key_file"));
  const absl::Status no_token = AddAddress(&known, "https://git.example.com/x", "keys", &request);
  EXPECT_EQ(no_token.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(no_token.message()), HasSubstr("add token"));
}

}  // namespace
}  // namespace fairlead::loop
