#include "controller/access/oidc/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/testing/scratch_folder.h"
#include "controller/access/oidc/http_client.h"

namespace fairlead::access::oidc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kHead[] = "issuer = \"https://id.example.com\"\nclient_id = \"fairlead\"\n";
constexpr char kGroup[] = "[[group]]\nclaim = \"devs\"\ngroup = \"web\"\n";

class SettingsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Settings> Load(const std::string& content, unsigned mode = 0644) {
    EXPECT_TRUE(base::WriteFileAtomically(path_, content, mode).ok());
    // What the umask took.
    EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    return LoadSettings(path_);
  }
  std::string WhyNot(const std::string& content, unsigned mode = 0644) {
    return std::string(Load(content, mode).status().message());
  }

  base::ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/oidc.toml";
};

TEST_F(SettingsTest, DefaultsAreThoseOfMostProviders) {
  const auto settings = Load(absl::StrCat(kHead, kGroup));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->issuer, "https://id.example.com");
  EXPECT_EQ(settings->client_id, "fairlead");
  EXPECT_EQ(settings->client_secret, "");
  EXPECT_EQ(settings->scope, "openid profile");
  EXPECT_EQ(settings->username_claim, "preferred_username");
  EXPECT_EQ(settings->groups_claim, "groups");
}

TEST_F(SettingsTest, AllIsRead) {
  ASSERT_TRUE(base::WriteFileAtomically(folder_.path() + "/secret", "s3cret\n", 0600).ok());
  const auto settings = Load(absl::StrCat(
      kHead, "client_secret_file = \"secret\"\nscopes = [\"openid\", \"email\", \"roles\"]\n",
      "username_claim = \"email\"\ngroups_claim = \"roles\"\naudiences = [\"api\"]\n",
      "ca_file = \"ca.pem\"\n", kGroup, "[[group]]\nclaim = \"devs\"\ngroup = \"all\"\n",
      "[[group]]\nclaim = \"ops\"\ngroup = \"all\"\n"));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->client_secret, "s3cret");
  EXPECT_EQ(settings->scope, "openid email roles");
  EXPECT_EQ(settings->username_claim, "email");
  EXPECT_EQ(settings->groups_claim, "roles");
  EXPECT_THAT(settings->audiences, ElementsAre("api"));
  EXPECT_EQ(settings->ca_file, folder_.path() + "/ca.pem");
  EXPECT_THAT(settings->GroupsOf({"ops", "devs", "other"}), ElementsAre("all", "web"));
  EXPECT_THAT(settings->GroupsOf({"other", "all"}), IsEmpty());
}

TEST_F(SettingsTest, WhatIsMissingOrWrongIsNamed) {
  EXPECT_THAT(WhyNot(kGroup), HasSubstr("issuer"));
  EXPECT_THAT(WhyNot(absl::StrCat("issuer = \"https://a\"\n", kGroup)), HasSubstr("client_id"));
  EXPECT_THAT(WhyNot(kHead), HasSubstr("no [[group]]"));
  EXPECT_THAT(WhyNot(absl::StrCat(kHead, "client = 1\n", kGroup)), HasSubstr("oidc.toml:3:1"));
  EXPECT_THAT(
      WhyNot(absl::StrCat("client_id = \"a\"\nissuer = \"http://id.example.com\"\n", kGroup)),
      HasSubstr("must be an address that begins with https://"));
  EXPECT_THAT(WhyNot(absl::StrCat(kHead, "client_secret_file = \"none\"\n", kGroup)),
              HasSubstr("client_secret_file"));
}

TEST_F(SettingsTest, FilesThatOthersMayChangeOrReadAreRefused) {
  EXPECT_THAT(WhyNot(absl::StrCat(kHead, kGroup), 0666), HasSubstr("chmod go-w"));
  const std::string secret = folder_.path() + "/secret";
  ASSERT_TRUE(base::WriteFileAtomically(secret, "s3cret", 0644).ok());
  ASSERT_EQ(::chmod(secret.c_str(), 0644), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(
      Load(absl::StrCat(kHead, "client_secret_file = \"secret\"\n", kGroup)).status()));
}

TEST(UrlTest, OnlyThisMachineGoesWithoutTls) {
  for (const char* url : {"https://id.example.com", "https://id.example.com:8443/a?b=c",
                          "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:9000"}) {
    EXPECT_TRUE(IsSafeUrl(url)) << url;
  }
  for (const char* url :
       {"", "id.example.com", "http://id.example.com", "ftp://127.0.0.1",
        "http://127.0.0.1@example.org", "http://localhost.example.org",
        "http://127.0.0.1.example.org", "file:///etc/passwd", "https://", "javascript:alert(1)"}) {
    EXPECT_FALSE(IsSafeUrl(url)) << url;
  }
}

TEST(UrlTest, FormIsEscaped) {
  EXPECT_EQ(Encode({{"a b", "c&d=e"}, {"f", "\xC3\xA4"}}), "a%20b=c%26d%3De&f=%C3%A4");
}

}  // namespace
}  // namespace fairlead::access::oidc
