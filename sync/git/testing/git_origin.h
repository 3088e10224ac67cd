// A real git repository in a temporary folder, made with the git command line.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::git {

// A folder below the system's temporary one; removed at the end. Confined to its thread.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A work tree whose commits are fetched by tests. A git command that fails is a test failure.
class GitOrigin {
 public:
  // An empty repository with the unborn branch "main".
  explicit GitOrigin(std::string path);

  // Runs git with these arguments; returns its output without the last newline.
  std::string Git(const std::vector<std::string>& arguments);
  // Writes a file, making its folders.
  void Write(absl::string_view path, absl::string_view content);
  // Writes a file and commits everything; returns the commit's hash.
  std::string CommitFile(absl::string_view path, absl::string_view content,
                         const std::string& message = "change");
  std::string CommitAll(const std::string& message);

  const std::string& path() const { return path_; }
  std::string url() const;

 private:
  std::string path_;
};

}  // namespace fairlead::git
