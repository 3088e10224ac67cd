#include "agent/git_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/git_command.h"

namespace fairlead::agent {
namespace {

using ::testing::HasSubstr;

// What git 2.39 prints, and what it means.
TEST(GitErrorTest, WordsBecomeCodes) {
  struct Case {
    std::string text;
    absl::StatusCode code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {"fatal: could not read Username for 'https://h': terminal prompts disabled",
       absl::StatusCode::kFailedPrecondition, "refuses the login"},
      {"remote: Invalid username or password.\nfatal: Authentication failed for 'https://h/x/'",
       absl::StatusCode::kFailedPrecondition, "refuses the login"},
      {"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n"
       "Please make sure you have the correct access rights\nand the repository exists.",
       absl::StatusCode::kFailedPrecondition, "check account, token or key"},
      {"Host key verification failed.\nfatal: Could not read from remote repository.",
       absl::StatusCode::kFailedPrecondition, "known_hosts"},
      {"remote: Repository not found.\nfatal: repository 'https://h/x/' not found",
       absl::StatusCode::kNotFound, "no such repository"},
      {"fatal: '/srv/x.git' does not appear to be a git repository", absl::StatusCode::kNotFound,
       "no such repository"},
      {"fatal: unable to update url base from redirection:\n  asked for: https://h/x\n   redirect: "
       "https://h/login",
       absl::StatusCode::kFailedPrecondition, "has moved"},
      {"fatal: unable to access 'https://h/x/': Could not resolve host: h",
       absl::StatusCode::kUnavailable, "cannot be reached"},
      {"fatal: unable to access 'http://h/': The requested URL returned error: 503",
       absl::StatusCode::kUnavailable, "cannot be reached, or fails"},
      {"fatal: early EOF", absl::StatusCode::kUnavailable, "fails"},
      {"fatal: couldn't find remote ref HEAD", absl::StatusCode::kNotFound, "no branch main"},
      {"fatal: transport 'ext' not allowed", absl::StatusCode::kInvalidArgument, "only http"},
      {"fatal: write error: No space left on device", absl::StatusCode::kResourceExhausted, "full"},
      {"fatal: repository 'http://h/lib/' not found\nfatal: clone of 'http://h/lib' into submodule "
       "path '/d/vendor/lib' failed\nFailed to clone 'vendor/lib'. Retry scheduled",
       absl::StatusCode::kNotFound, "submodule /d/vendor/lib"},
      {"fatal: something new", absl::StatusCode::kFailedPrecondition, "something new"},
  };
  for (const Case& one : cases) {
    const absl::Status status =
        StatusOfGit({.url = "https://h/x", .branch = "main", .exit_code = 128, .text = one.text});
    EXPECT_EQ(status.code(), one.code) << one.text << "\n" << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(one.says)) << one.text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("https://h/x"));
  }
}

TEST(GitErrorTest, UserAndPasswordLeaveTheUrl) {
  struct Case {
    std::string url;
    std::string text;
    std::string username;
    std::string password;
    std::string authority;
  };
  const std::vector<Case> cases = {
      {"https://me:p%40ss@h:8443/a/b.git", "https://h:8443/a/b.git", "me", "p@ss", "h:8443"},
      {"https://token@h/a", "https://h/a", "token", "", "h"},
      {"https://h/a", "https://h/a", "", "", "h"},
      {"ssh://git:x@h:22/a", "ssh://git@h:22/a", "git", "x", ""},
      {"git@h:a/b.git", "git@h:a/b.git", "", "", ""},
      {"file:///srv/a.git", "file:///srv/a.git", "", "", ""},
  };
  for (const Case& one : cases) {
    const absl::StatusOr<GitUrl> url = ParseGitUrl(one.url);
    ASSERT_TRUE(url.ok()) << url.status();
    EXPECT_EQ(url->text, one.text);
    EXPECT_EQ(url->username, one.username);
    EXPECT_EQ(url->password, one.password);
    EXPECT_EQ(url->authority, one.authority);
  }
  EXPECT_TRUE(ParseGitUrl("/srv/a.git")->is_file);
}

TEST(GitErrorTest, WhatIsNoAddressIsRefused) {
  for (const char* url :
       {"", "--upload-pack=x", "ext::sh -c x", "ftp://h/x", "just-a-word", "https://h/a\nb"}) {
    EXPECT_EQ(ParseGitUrl(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace fairlead::agent
