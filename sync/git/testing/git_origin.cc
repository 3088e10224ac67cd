#include "sync/git/testing/git_origin.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/subprocess.h"

namespace fairlead::git {

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "fairlead-git-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

GitOrigin::GitOrigin(std::string path) : path_(std::move(path)) {
  std::filesystem::create_directories(path_);
  Git({"init", "-q", "-b", "main"});
}

std::string GitOrigin::Git(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {"git"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto result =
      base::RunSubprocess({.argv = argv,
                           .working_directory = path_,
                           .environment = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                                           {"GIT_CONFIG_SYSTEM", "/dev/null"},
                                           {"GIT_AUTHOR_NAME", "Ada"},
                                           {"GIT_AUTHOR_EMAIL", "ada@example.org"},
                                           {"GIT_COMMITTER_NAME", "Ada"},
                                           {"GIT_COMMITTER_EMAIL", "ada@example.org"},
                                           {"GIT_COMMITTER_DATE", "1700000000 +0000"}}});
  if (!result.ok() || result->exit_code != 0) {
    ADD_FAILURE() << absl::StrJoin(argv, " ") << ": "
                  << (result.ok() ? result->err : std::string(result.status().message()));
    return "";
  }
  return std::string(absl::StripTrailingAsciiWhitespace(result->out));
}

void GitOrigin::Write(absl::string_view path, absl::string_view content) {
  const std::filesystem::path file = std::filesystem::path(path_) / std::string(path);
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

std::string GitOrigin::CommitFile(absl::string_view path, absl::string_view content,
                                  const std::string& message) {
  Write(path, content);
  return CommitAll(message);
}

std::string GitOrigin::CommitAll(const std::string& message) {
  Git({"add", "-A"});
  Git({"commit", "-q", "--allow-empty", "-m", message});
  return Git({"rev-parse", "HEAD"});
}

std::string GitOrigin::url() const { return absl::StrCat("file://", path_); }

}  // namespace fairlead::git
