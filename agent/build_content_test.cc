#include "agent/build_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "agent/docker_ignore.h"
#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;

TEST(DockerIgnoreTest, MatchesAsDockerDoes) {
  struct Case {
    std::string rules;
    std::string path;
    bool ignored;
  };
  const std::vector<Case> cases = {
      {"*.md", "README.md", true},
      {"*.md", "docs/README.md", false},
      {"**/*.md", "README.md", true},
      {"**/*.md", "docs/a/README.md", true},
      {"docs", "docs/a/README.md", true},
      {"/docs/", "docs/a", true},
      {"./docs", "docs", true},
      {"*/temp*", "a/temporary.txt", true},
      {"*/temp*", "a/b/temporary.txt", false},
      {"temp?", "tempa", true},
      {"temp?", "temp", false},
      {"a/**", "a/b/c", true},
      {"a/**/z", "a/z", true},
      {"a/**/z", "a/b/c/z", true},
      {"[a-c].txt", "b.txt", true},
      {"[^a-c].txt", "b.txt", false},
      {"# *.md", "README.md", false},
      {"*\n!keep", "keep", false},
      {"*\n!keep", "other", true},
      {"!keep\n*", "keep", true},
      {"a\n!a/b", "a/b/c", false},
      {"a\n!a/b", "a/c", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"", "a", false},
      {".", "a", false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(DockerIgnore(one.rules).Ignores(one.path), one.ignored)
        << one.rules << " on " << one.path;
  }
}

TEST(DockerIgnoreTest, NoPatternTakesLong) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "**/*a";
  EXPECT_FALSE(DockerIgnore(pattern).Ignores(std::string(4000, 'a') + "b"));
}

class DigestContextTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& text) const {
    const std::filesystem::path full = std::filesystem::path(folder_.path()) / path;
    ASSERT_TRUE(base::MakeDirectories(full.parent_path().string(), 0755).ok());
    ASSERT_TRUE(base::WriteFileAtomically(full.string(), text, 0644).ok());
  }
  std::string Digest(const std::string& ignore = "") const {
    const absl::StatusOr<std::string> digest = DigestContext(folder_.path(), ignore, nullptr);
    EXPECT_TRUE(digest.ok()) << digest.status();
    return digest.value_or("");
  }

  base::ScratchFolder folder_;
};

TEST_F(DigestContextTest, WhatGoesInCountsAndNothingElse) {
  Write("a/one", "1");
  Write("notes.md", "x");
  const std::string before = Digest("*.md");
  EXPECT_EQ(Digest("*.md"), before);
  Write("notes.md", "y");
  Write("a/one", "1");
  EXPECT_EQ(Digest("*.md"), before) << "an ignored file, and a file written anew";
  Write("a/one", "2");
  const std::string other = Digest("*.md");
  EXPECT_NE(other, before);
  ::chmod((folder_.path() + "/a/one").c_str(), 0755);
  EXPECT_NE(Digest("*.md"), other) << "mode";
}

TEST_F(DigestContextTest, NamesAndContentsDoNotRunIntoEachOther) {
  Write("ab", "c");
  const std::string first = Digest();
  std::filesystem::remove(folder_.path() + "/ab");
  Write("a", "bc");
  EXPECT_NE(Digest(), first);
}

TEST_F(DigestContextTest, LinksCountByWhereTheyLead) {
  Write("a", "1");
  std::filesystem::create_symlink("a", folder_.path() + "/link");
  const std::string first = Digest();
  std::filesystem::remove(folder_.path() + "/link");
  std::filesystem::create_symlink("/nowhere", folder_.path() + "/link");
  EXPECT_NE(Digest(), first);
}

TEST_F(DigestContextTest, AnExceptionBelowAnIgnoredFolderCounts) {
  Write("a/keep", "1");
  Write("a/drop", "1");
  const std::string before = Digest("a\n!a/keep");
  Write("a/drop", "2");
  EXPECT_EQ(Digest("a\n!a/keep"), before);
  Write("a/keep", "2");
  EXPECT_NE(Digest("a\n!a/keep"), before);
}

TEST_F(DigestContextTest, ACancelEndsIt) {
  Write("a", "1");
  EXPECT_EQ(DigestContext(folder_.path(), "", [] { return true; }).status().code(),
            absl::StatusCode::kCancelled);
}

TEST(BuildContentTest, FindsBaseImages) {
  EXPECT_THAT(BaseImages("# c\nfrom --platform=linux/amd64 debian:12 AS base\nRUN x\n"
                         "FROM base\nFROM scratch\nFROM $IMAGE\nFROM app:1\nFROM debian:12\n"),
              ElementsAre("debian:12", "app:1"));
}

TEST(BuildContentTest, EverythingButTagsAndLoginsCounts) {
  v1::BuildImage request;
  request.add_build_args("A=1");
  request.add_secret_args("S=1");
  request.add_targets()->set_repository("r/app");
  const std::string text = ContentText(request, "FROM a", "d", {"a=1"});
  v1::BuildImage other = request;
  other.add_tags("2.0");
  other.mutable_targets(0)->mutable_login()->set_secret("x");
  EXPECT_EQ(ContentText(other, "FROM a", "d", {"a=1"}), text);
  EXPECT_NE(ContentText(request, "FROM b", "d", {"a=1"}), text);
  EXPECT_NE(ContentText(request, "FROM a", "e", {"a=1"}), text);
  EXPECT_NE(ContentText(request, "FROM a", "d", {"a=2"}), text);
  for (const auto change : std::vector<void (*)(v1::BuildImage&)>{
           [](v1::BuildImage& one) { one.set_build_args(0, "A=2"); },
           [](v1::BuildImage& one) { one.set_secret_args(0, "S=2"); },
           [](v1::BuildImage& one) { one.add_labels("l=1"); },
           [](v1::BuildImage& one) { one.add_extra_args("--squash"); },
           [](v1::BuildImage& one) { one.mutable_targets(0)->set_push(true); },
           [](v1::BuildImage& one) { one.set_use_buildx(true); }}) {
    other = request;
    change(other);
    EXPECT_NE(ContentText(other, "FROM a", "d", {"a=1"}), text) << other.ShortDebugString();
  }
}

}  // namespace
}  // namespace fairlead::agent
