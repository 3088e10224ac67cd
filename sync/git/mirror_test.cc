#include "sync/git/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "sync/git/fetch.h"
#include "sync/git/testing/git_origin.h"

namespace fairlead::git {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MirrorTest : public ::testing::Test {
 protected:
  absl::Status FetchOrigin(const std::string& reference = "main") {
    return Fetch({.url = origin_.url(),
                  .directory = directory_,
                  .reference = reference,
                  .helper_program = FETCH_HELPER_PROGRAM},
                 nullptr);
  }
  std::unique_ptr<Mirror> Fetched(const std::string& reference = "main") {
    auto mirror = Mirror::Open(directory_);
    EXPECT_TRUE(mirror.ok()) << mirror.status();
    const absl::Status fetched = FetchOrigin(reference);
    EXPECT_TRUE(fetched.ok()) << fetched;
    return std::move(mirror).value();
  }
  static std::vector<std::string> Paths(const absl::StatusOr<FileList>& files) {
    EXPECT_TRUE(files.ok()) << files.status();
    std::vector<std::string> paths;
    if (files.ok()) {
      for (const FileEntry& file : *files) paths.push_back(file.path);
    }
    return paths;
  }

  TemporaryFolder folder_;
  GitOrigin origin_{folder_.path() + "/origin"};
  const std::string directory_ = folder_.path() + "/data/mirror";
};

TEST_F(MirrorTest, ResolvesBranchTagHashAndAbbreviation) {
  const std::string first = origin_.CommitFile("a.toml", "1", "first: one\n\nbody");
  origin_.Git({"tag", "plain"});
  origin_.Git({"tag", "-a", "annotated", "-m", "x"});
  const std::string second = origin_.CommitFile("a.toml", "2");
  const auto mirror = Fetched();
  ASSERT_TRUE(FetchOrigin("plain").ok());
  ASSERT_TRUE(FetchOrigin("annotated").ok());
  EXPECT_EQ(mirror->ResolveRevision("main")->commit, second);
  EXPECT_EQ(mirror->ResolveRevision("refs/heads/main")->commit, second);
  for (const std::string& ref :
       {std::string("plain"), std::string("annotated"), first, first.substr(0, 9)}) {
    const auto revision = mirror->ResolveRevision(ref);
    ASSERT_TRUE(revision.ok()) << ref << ": " << revision.status();
    EXPECT_EQ(revision->commit, first);
    EXPECT_EQ(revision->subject, "first: one");
    EXPECT_EQ(revision->committed_at, absl::FromUnixSeconds(1'700'000'000));
  }
}

TEST_F(MirrorTest, SubjectIsPrintableText) {
  // git would otherwise repair the text.
  origin_.Git({"-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "--allow-empty", "-m",
               "red \x1b[31m and \xff end"});
  EXPECT_EQ(Fetched()->ResolveRevision("main")->subject, "red  [31m and \xEF\xBF\xBD end");
}

TEST_F(MirrorTest, UnknownReferencesAreNotFound) {
  origin_.CommitFile("a", "1");
  const auto mirror = Fetched();
  for (const std::string ref : {"develop", "", "deadbeef", "refs/heads/", "a b..c",
                                "0123456789012345678901234567890123456789"}) {
    const auto revision = mirror->ResolveRevision(ref);
    EXPECT_EQ(revision.status().code(), absl::StatusCode::kNotFound) << ref;
    EXPECT_EQ(revision.status().message(),
              absl::StrCat("repository has no branch \"", ref, "\"; it has: main"));
  }
}

TEST_F(MirrorTest, NewMirrorIsEmpty) {
  auto mirror = Mirror::Open(directory_);
  ASSERT_TRUE(mirror.ok()) << mirror.status();
  const auto revision = (*mirror)->ResolveRevision("main");
  EXPECT_EQ(revision.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(revision.status().message(), "repository is empty: it has no branch \"main\"");
}

TEST_F(MirrorTest, TagOfAFileIsNoRevision) {
  origin_.CommitFile("a", "1");
  origin_.Git({"tag", "odd", origin_.Git({"rev-parse", "HEAD:a"})});
  const auto mirror = Fetched("odd");
  EXPECT_EQ(mirror->ResolveRevision("odd").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MirrorTest, ListsFilesInOrder) {
  origin_.Write("z.toml", "12345");
  origin_.Write("a/b.toml", "1");
  origin_.Write("a.toml", "");
  origin_.Write("a/b/c.toml.txt", "1");
  std::filesystem::remove_all(origin_.path() + "/a/b.toml");
  origin_.Write("a/0", "1");
  const std::string commit = origin_.CommitAll("files");
  const auto mirror = Fetched();
  const auto files = mirror->ListFiles(commit, {});
  EXPECT_THAT(Paths(files), ElementsAre("a.toml", "a/0", "a/b/c.toml.txt", "z.toml"));
  EXPECT_EQ(files->back().size, 5u);
  EXPECT_EQ(*mirror->ReadBlob(files->back().blob_id, 5), "12345");
  EXPECT_EQ(mirror->ReadBlob(files->back().blob_id, 4).status().message(),
            "file has 5 bytes; at most 4 are read");
  EXPECT_EQ(mirror->ReadBlob("main", 4).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MirrorTest, PathsSelectFilesAndFolders) {
  origin_.Write("a/x", "1");
  origin_.Write("a/y", "1");
  origin_.Write("ab/z", "1");
  const std::string commit = origin_.CommitFile("top", "1");
  const auto mirror = Fetched();
  EXPECT_THAT(Paths(mirror->ListFiles(commit, {"a"})), ElementsAre("a/x", "a/y"));
  EXPECT_THAT(Paths(mirror->ListFiles(commit, {"top", "./a/", "a/x", "/ab//z"})),
              ElementsAre("a/x", "a/y", "ab/z", "top"));
  EXPECT_THAT(Paths(mirror->ListFiles(commit, {"a", "."})),
              ElementsAre("a/x", "a/y", "ab/z", "top"));
  const auto missing = mirror->ListFiles(commit, {"a", "stacks"});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(),
            absl::StrCat("path \"stacks\" does not exist at ", commit.substr(0, 7)));
  EXPECT_EQ(mirror->ListFiles(commit, {".", "stacks"}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(mirror->ListFiles(commit, {"a/../../etc"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(mirror->ListFiles(std::string(40, '0'), {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(MirrorTest, LinksAndSubmodulesAreReportedNotFollowed) {
  origin_.Write("real/f", "1");
  std::filesystem::create_symlink("real", origin_.path() + "/link");
  origin_.Git({"add", "-A"});
  origin_.Git({"update-index", "--add", "--cacheinfo",
               absl::StrCat("160000,", std::string(40, '1'), ",module")});
  origin_.Git({"commit", "-q", "-m", "odd"});
  const std::string commit = origin_.Git({"rev-parse", "HEAD"});
  const auto mirror = Fetched();
  const auto files = mirror->ListFiles(commit, {});
  ASSERT_THAT(Paths(files), ElementsAre("link", "module", "real/f"));
  EXPECT_TRUE((*files)[0].is_symlink);
  EXPECT_EQ(*mirror->ReadBlob((*files)[0].blob_id, 100), "real");
  EXPECT_TRUE((*files)[1].is_submodule);
  EXPECT_EQ((*files)[1].size, 0u);
  EXPECT_FALSE((*files)[2].is_symlink || (*files)[2].is_submodule);
  EXPECT_EQ(mirror->ListFiles(commit, {"link/f"}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(MirrorTest, PathsNeedNotBeUtf8) {
  const std::string path = "d\xE9j\xE0/\xFFvu.toml";
  const std::string first = origin_.CommitFile(path, "1");
  const std::string second = origin_.CommitFile(path, "2");
  const auto mirror = Fetched();
  EXPECT_THAT(Paths(mirror->ListFiles(second, {"d\xE9j\xE0"})), ElementsAre(path));
  EXPECT_THAT(*mirror->ChangedFiles(first, second), ElementsAre(path));
}

TEST_F(MirrorTest, ComparesCommits) {
  origin_.Write("same", "1");
  origin_.Write("gone", "1");
  const std::string first = origin_.CommitFile("d/changed", "1");
  std::filesystem::remove(origin_.path() + "/gone");
  origin_.Write("new", "1");
  const std::string second = origin_.CommitFile("d/changed", "2");
  const auto mirror = Fetched();
  EXPECT_THAT(*mirror->ChangedFiles(first, second), ElementsAre("d/changed", "gone", "new"));
  EXPECT_THAT(*mirror->ChangedFiles(second, second), IsEmpty());
  EXPECT_EQ(mirror->ChangedFiles(std::string(40, '0'), second).status().code(),
            absl::StatusCode::kNotFound);
}

// git's own diff is the judge.
TEST_F(MirrorTest, ComparesAsGitDoes) {
  const std::vector<std::string> names = {"a",     "a.b", "a/b",     "a/b/c",
                                          "a-b/x", "ab",  "b/c/d/e", "b0"};
  std::vector<std::string> commits;
  for (unsigned set = 0; set < 24; ++set) {
    for (const auto& entry : std::filesystem::directory_iterator(origin_.path())) {
      if (entry.path().filename() != ".git") std::filesystem::remove_all(entry.path());
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      // A fixed mixture of present, absent and changed.
      const unsigned roll = (set * 7 + static_cast<unsigned>(i) * 5 + set * set) % 11;
      const std::string path = absl::StrCat(origin_.path(), "/", names[i]);
      std::error_code blocked;
      const bool parent_is_file =
          std::filesystem::is_regular_file(std::filesystem::path(path).parent_path(), blocked) ||
          std::filesystem::is_regular_file(std::filesystem::path(path).parent_path().parent_path(),
                                           blocked);
      if (roll < 5 && !parent_is_file && !std::filesystem::exists(path, blocked)) {
        origin_.Write(names[i], std::to_string(roll));
      }
    }
    commits.push_back(origin_.CommitAll("set"));
  }
  const auto mirror = Fetched();
  std::size_t compared = 0;
  for (std::size_t i = 1; i < commits.size(); ++i) {
    const std::string expected = origin_.Git({"-c", "core.quotePath=false", "diff-tree", "-r",
                                              "--name-only", commits[i - 1], commits[i]});
    const auto changed = mirror->ChangedFiles(commits[i - 1], commits[i]);
    ASSERT_TRUE(changed.ok()) << changed.status();
    std::vector<std::string> judged = absl::StrSplit(expected, '\n', absl::SkipEmpty());
    std::sort(judged.begin(), judged.end());
    judged.erase(std::unique(judged.begin(), judged.end()), judged.end());
    EXPECT_EQ(*changed, judged) << i;
    compared += judged.size();
  }
  EXPECT_GT(compared, commits.size());
}

TEST_F(MirrorTest, TreeIdChangesWithContentOnly) {
  origin_.Write("a/x", "1");
  const std::string first = origin_.CommitFile("b/x", "1");
  const std::string second = origin_.CommitFile("b/x", "2");
  const auto mirror = Fetched();
  EXPECT_EQ(*mirror->TreeId(first, "a"), *mirror->TreeId(second, "./a/"));
  EXPECT_NE(*mirror->TreeId(first, "b"), *mirror->TreeId(second, "b"));
  EXPECT_NE(*mirror->TreeId(first, ""), *mirror->TreeId(second, ""));
  EXPECT_EQ(mirror->TreeId(first, "c").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(MirrorTest, RefusesAFolderThatHoldsSomethingElse) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ + "/thesis.txt") << "years of work";
  const auto mirror = Mirror::Open(directory_);
  EXPECT_EQ(mirror.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(mirror.status().message()),
              AllOf(HasSubstr("thesis.txt"), HasSubstr("choose an empty directory")));
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/thesis.txt"));
  EXPECT_EQ(Mirror::Open(directory_ + "/thesis.txt").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(MirrorTest, DamagedMirrorIsBuiltAnew) {
  const std::string commit = origin_.CommitFile("a", "content");
  const auto mirror = Fetched();
  for (const auto& pack : std::filesystem::directory_iterator(directory_ + "/objects/pack")) {
    std::filesystem::remove(pack);
  }
  const auto damaged = mirror->ResolveRevision("main");
  EXPECT_EQ(damaged.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr("is damaged"));
  ASSERT_TRUE(FetchOrigin().ok());
  EXPECT_EQ(mirror->ResolveRevision("main")->commit, commit);
  EXPECT_THAT(Paths(mirror->ListFiles(commit, {})), ElementsAre("a"));
}

TEST_F(MirrorTest, DeletedContentsComeBack) {
  const std::string commit = origin_.CommitFile("a", "content");
  const auto mirror = Fetched();
  std::filesystem::remove_all(directory_);
  EXPECT_EQ(mirror->ResolveRevision("main").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(FetchOrigin().ok());
  EXPECT_EQ(mirror->ResolveRevision("main")->commit, commit);
}

TEST_F(MirrorTest, OpenRemovesLeftoversOfAKilledFetch) {
  origin_.CommitFile("a", "1");
  Fetched();
  for (const std::string name : {"/refs/heads/main.lock", "/packed-refs.lock", "/config.lock",
                                 "/objects/pack/pack_git2_a1b2c3"}) {
    std::ofstream(directory_ + name) << "x";
  }
  const std::string second = origin_.CommitFile("a", "2");
  const auto mirror = Fetched();
  EXPECT_EQ(mirror->ResolveRevision("main")->commit, second);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/objects/pack/pack_git2_a1b2c3"));
}

}  // namespace
}  // namespace fairlead::git
