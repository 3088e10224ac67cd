#include "controller/accounts/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class AccountsTest : public ::testing::Test {
 protected:
  AccountsTest() {
    std::string name =
        (std::filesystem::temp_directory_path() / "fairlead-accounts-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~AccountsTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string Write(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    EXPECT_TRUE(base::WriteFileAtomically(path, content).ok());
    return path;
  }

  std::string folder_;
};

TEST_F(AccountsTest, ReadsWhatKomodoUsersHave) {
  const auto accounts = Accounts::Load(Write("accounts.toml", R"(
[[git_provider]]
domain = "git.example.com"
https = false
accounts = [{ username = "ada", token = "git-token" }, { account = "bob", token = "other" }]

[[docker_registry]]
domain = "Registry.Example.com:5000"
accounts = [{ username = "ada", token = "registry-token" }]
organizations = ["team"]

[[docker_registry]]
accounts = [{ username = "hub", token = "hub-token" }]
)"));
  ASSERT_TRUE(accounts.ok()) << accounts.status();
  EXPECT_EQ(accounts->FindGit("git.example.com", "ada")->login.secret(), "git-token");
  EXPECT_EQ(accounts->FindGit("GIT.example.com", "bob")->login.username(), "bob");
  EXPECT_EQ(accounts->FindRegistry("registry.example.com:5000", "ada")->secret(), "registry-token");
  EXPECT_EQ(accounts->FindRegistry("docker.io", "hub")->secret(), "hub-token");
  EXPECT_THAT(accounts->Secrets(),
              UnorderedElementsAre("git-token", "other", "registry-token", "hub-token"));
}

TEST_F(AccountsTest, ReadsTokensAndKeysFromFilesBesideIt) {
  Write("token", "from-a-file\n");
  Write("key", "-----BEGIN KEY-----\n");
  const auto accounts = Accounts::Load(Write("accounts.toml", R"(
[[git_provider]]
domain = "git.example.com"
accounts = [{ username = "ada", token_file = "token", ssh_key_file = "key" }]
)"));
  ASSERT_TRUE(accounts.ok()) << accounts.status();
  const auto access = accounts->FindGit("git.example.com", "ada");
  EXPECT_EQ(access->login.secret(), "from-a-file");
  EXPECT_EQ(access->ssh_key, "-----BEGIN KEY-----\n");
}

TEST_F(AccountsTest, TheDefaultRegistryHasTwoNames) {
  const auto accounts = Accounts::Load(Write("accounts.toml", R"(
[[docker_registry]]
domain = "index.docker.io"
accounts = [{ username = "hub", token = "hub-token" }]
)"));
  ASSERT_TRUE(accounts.ok()) << accounts.status();
  EXPECT_EQ(accounts->FindRegistry("docker.io", "hub")->domain(), "docker.io");
  EXPECT_EQ(accounts->FindRegistry("index.docker.io", "hub")->secret(), "hub-token");
}

TEST_F(AccountsTest, NoAccountIsNoLoginAndAnUnknownOneSaysWhatToDo) {
  const Accounts none;
  EXPECT_THAT(none.FindRegistry("docker.io", "")->username(), IsEmpty());
  const absl::Status missing = none.FindGit("github.com", "ada").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.message(),
              AllOf(HasSubstr("\"ada\""), HasSubstr("github.com"), HasSubstr("--accounts")));
}

TEST_F(AccountsTest, RefusesFilesThatOthersMayRead) {
  const std::string path = Write("accounts.toml", "");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  const absl::Status status = Accounts::Load(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr("chmod 600 " + path));
}

TEST_F(AccountsTest, NamesMistakesWithoutQuotingSecrets) {
  const std::string path = Write("accounts.toml", R"([[git_provider]]
acounts = []
[[docker_registry]]
accounts = [{ username = "ada", token = 12345678 }]
)");
  const absl::Status status = Accounts::Load(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(path + ":2:1: error"), HasSubstr("accounts"),
                                      HasSubstr(path + ":4:"), Not(HasSubstr("12345678"))));
}

TEST_F(AccountsTest, AnAccountStandsOnce) {
  const absl::Status status = Accounts::Load(Write("accounts.toml", R"(
[[docker_registry]]
accounts = [{ username = "ada", token = "a" }]
[[docker_registry]]
domain = "docker.io"
accounts = [{ username = "ada", token = "b" }]
)"))
                                  .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("\"ada\" of docker.io stands twice"));
}

}  // namespace
}  // namespace fairlead::controller
