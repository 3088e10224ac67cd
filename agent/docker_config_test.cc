#include "agent/docker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Logins LoginsAt(const std::string& domain) {
  Logins logins;
  v1::Login& login = *logins.Add();
  login.set_domain(domain);
  login.set_username("ann");
  login.set_secret("pass:word");
  return logins;
}

TEST(DockerConfigTest, HoldsTheLogins) {
  EXPECT_EQ(DockerConfig("", LoginsAt("registry.example.com:5000"), {}),
            R"({"auths":{"registry.example.com:5000":{"auth":"YW5uOnBhc3M6d29yZA=="}}})");
  EXPECT_EQ(DockerConfig("", LoginsAt("docker.io"), {}),
            R"({"auths":{"https://index.docker.io/v1/":{"auth":"YW5uOnBhc3M6d29yZA=="}}})");
}

TEST(DockerConfigTest, ALoginWithoutADomainIsNobodys) {
  EXPECT_EQ(DockerConfig("", LoginsAt(""), {}), "{}");
  EXPECT_EQ(
      DockerConfig(R"({"auths":{"https://index.docker.io/v1/":{"auth":"x"}}})", LoginsAt(""), {}),
      R"({"auths":{"https://index.docker.io/v1/":{"auth":"x"}}})");
}

TEST(DockerConfigTest, LoginsLieOverWhatIsThere) {
  EXPECT_EQ(DockerConfig(R"({"auths":{"a":{"auth":"x"}},"credsStore":"pass",)"
                         R"("credHelpers":{"docker.io":"y","b":"z"}})",
                         LoginsAt("docker.io"), {"/root/.docker/cli-plugins"}),
            R"({"auths":{"a":{"auth":"x"},"https://index.docker.io/v1/":)"
            R"({"auth":"YW5uOnBhc3M6d29yZA=="}},"credHelpers":{"b":"z"},)"
            R"("cliPluginsExtraDirs":["/root/.docker/cli-plugins"]})");
  EXPECT_EQ(DockerConfig("no json", {}, {"/a", "/b"}), R"({"cliPluginsExtraDirs":["/a","/b"]})");
}

TEST(DockerConfigTest, PluginsAreThoseOfWhoeverRunsTheAgent) {
  EXPECT_THAT(PluginFolders({}), IsEmpty());
  EXPECT_THAT(PluginFolders({.folder = "/root/.docker",
                             .content = R"({"cliPluginsExtraDirs":["/opt/plugins",7]})"}),
              ElementsAre("/opt/plugins", "/root/.docker/cli-plugins"));

  const base::ScratchFolder folder;
  ASSERT_TRUE(base::WriteFileAtomically(folder.path() + "/config.json", "{\"a\":1}").ok());
  ::setenv("DOCKER_CONFIG", folder.path().c_str(), 1);
  const OwnDockerConfig own = ReadOwnDockerConfig();
  ::unsetenv("DOCKER_CONFIG");
  EXPECT_EQ(own.content, "{\"a\":1}");
  EXPECT_THAT(PluginFolders(own), ElementsAre(absl::StrCat(folder.path(), "/cli-plugins")));
}

}  // namespace
}  // namespace fairlead::agent
