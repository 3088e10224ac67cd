#include "sync/git/url.h"

#include <gtest/gtest.h>

namespace fairlead::git {
namespace {

TEST(UrlTest, SyncNamesItsRepository) {
  struct Case {
    std::string url, provider, repo;
    bool https;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {"file:///srv/git", "github.com", "a/b", true, "file:///srv/git"},
      {"", "github.com", "a/b", true, "https://github.com/a/b.git"},
      {"", "", "a/b", true, "https://github.com/a/b.git"},
      {"", "git.example.org:3000", "a/b.git", false, "http://git.example.org:3000/a/b.git"},
      {"", "gitlab.com", "/group/sub/b/", true, "https://gitlab.com/group/sub/b.git"},
  };
  for (const Case& c : cases) {
    v1::ResourceSync sync;
    sync.set_url(c.url);
    sync.set_git_provider(c.provider);
    sync.set_repo(c.repo);
    sync.set_git_https(c.https);
    const auto url = UrlOf(FieldsOf(sync));
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(*url, c.expected);
  }
  EXPECT_EQ(UrlOf(RepositoryFields()).status().code(), absl::StatusCode::kNotFound);
}

TEST(UrlTest, CredentialsAreKeptApart) {
  struct Case {
    std::string url, stripped, user_info;
  };
  const std::vector<Case> cases = {
      {"https://u:p%40ss@h/r.git", "https://h/r.git", "u:p%40ss"},
      {"https://token@h:8443/r", "https://h:8443/r", "token"},
      {"https://u:p@ss@h/r", "https://h/r", "u:p@ss"},
      {"https://h/r@v1", "https://h/r@v1", ""},
      {"HTTP://u:p@h", "HTTP://h", "u:p"},
      {"ssh://git@h:22/r", "ssh://git@h:22/r", "git"},
      {"ssh://git:pw@h/r", "ssh://git@h/r", "git:pw"},
      {"git@h:a/b.git", "git@h:a/b.git", ""},
      {"/srv/git@home", "/srv/git@home", ""},
      {"file:///a@b/c", "file:///a@b/c", ""},
  };
  for (const Case& c : cases) {
    const SplitUrl split = SplitCredentials(c.url);
    EXPECT_EQ(split.url, c.stripped) << c.url;
    EXPECT_EQ(split.user_info, c.user_info) << c.url;
  }
}

TEST(UrlTest, TextIsRedacted) {
  EXPECT_EQ(RedactUrls("get https://u:secret@h/x failed, http://t@i then ssh://git@j/k"),
            "get https://***@h/x failed, http://***@i then ssh://git@j/k");
  EXPECT_EQ(RedactUrls("mail ada@example.org about https://h/a@b"),
            "mail ada@example.org about https://h/a@b");
}

TEST(UrlTest, PercentIsDecoded) {
  EXPECT_EQ(DecodePercent("a%20b%2Fc%zz%4"), "a b/c%zz%4");
  EXPECT_EQ(DecodePercent("%41"), "A");
}

TEST(UrlTest, TheDomainIsThatOfTheServer) {
  EXPECT_EQ(DomainOf("https://a:b@Git.example.com:3000/x.git"), "git.example.com:3000");
  EXPECT_EQ(DomainOf("http://git.example.com/x"), "git.example.com");
  EXPECT_EQ(DomainOf("ssh://git@git.example.com/x"), "git.example.com");
  EXPECT_EQ(DomainOf("git@git.example.com:x/y.git"), "git.example.com");
  EXPECT_EQ(DomainOf("file:///srv/x.git"), "");
  EXPECT_EQ(DomainOf("/srv/x:y"), "");
}

TEST(UrlTest, ALoginIsReadBackFromTheAddress) {
  const std::string url = WithLogin("https://old@git.example.com/x", "a@b", "s3cret/:%");
  const SplitUrl split = SplitCredentials(url);
  EXPECT_EQ(split.url, "https://git.example.com/x");
  const std::size_t colon = split.user_info.find(':');
  EXPECT_EQ(DecodePercent(split.user_info.substr(0, colon)), "a@b");
  EXPECT_EQ(DecodePercent(split.user_info.substr(colon + 1)), "s3cret/:%");
  EXPECT_EQ(WithLogin("ssh://git@h/x", "a", "b"), "ssh://git@h/x");
}

}  // namespace
}  // namespace fairlead::git
