#include "integration/testing/git_repository.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"

namespace fairlead::integration {

GitRepository::GitRepository(const std::string& directory)
    : directory_(directory),
      bare_(absl::StrCat(directory, "/origin.git")),
      work_(absl::StrCat(directory, "/work")) {
  MustRun({"git", "init", "-q", "--bare", "-b", "main", bare_});
  MustRun({"git", "-C", bare_, "config", "http.receivepack", "true"});
  MustRun({"git", "init", "-q", "-b", "main", work_});
  MustRun({"git", "-C", work_, "remote", "add", "origin", bare_});
}

void GitRepository::Write(absl::string_view path, absl::string_view text) const {
  const std::string file = absl::StrCat(work_, "/", path);
  EXPECT_TRUE(base::MakeDirectories(file.substr(0, file.rfind('/')), 0755).ok()) << file;
  EXPECT_TRUE(base::WriteFileAtomically(file, text, 0644).ok()) << file;
}

void GitRepository::Remove(absl::string_view path) const {
  EXPECT_EQ(unlink(absl::StrCat(work_, "/", path).c_str()), 0) << path;
}

std::string GitRepository::Commit(absl::string_view subject) const {
  MustRun({"git", "-C", work_, "add", "-A"});
  MustRun({"git", "-C", work_, "-c", "user.name=test", "-c", "user.email=test@localhost", "-c",
           "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", std::string(subject)});
  return MustRun({"git", "-C", work_, "rev-parse", "HEAD"});
}

void GitRepository::Push(bool force) const {
  MustRun({"git", "-C", work_, "push", "-q", force ? "--force" : "--no-force", "origin", "main"});
}

void GitRepository::ResetTo(absl::string_view commit) const {
  MustRun({"git", "-C", work_, "reset", "-q", "--hard", std::string(commit)});
}

void GitRepository::Hide() const {
  EXPECT_EQ(rename(bare_.c_str(), absl::StrCat(bare_, ".away").c_str()), 0);
}

void GitRepository::Unhide() const {
  EXPECT_EQ(rename(absl::StrCat(bare_, ".away").c_str(), bare_.c_str()), 0);
}

std::string GitRepository::url() const { return absl::StrCat("file://", bare_); }

}  // namespace fairlead::integration
