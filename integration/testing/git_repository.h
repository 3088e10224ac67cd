// A git repository of a test: a bare one that Fairlead reads, and a working tree.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::integration {

// Made by the git command line below `directory`: origin.git (bare) and work. Failures are test
// failures. Confined to one thread.
class GitRepository {
 public:
  explicit GitRepository(const std::string& directory);

  void Write(absl::string_view path, absl::string_view text) const;
  void Remove(absl::string_view path) const;
  // Commits everything; returns the full commit hash.
  std::string Commit(absl::string_view subject) const;
  void Push(bool force = false) const;
  // Moves the working tree's branch to a commit, as before a force push.
  void ResetTo(absl::string_view commit) const;
  // Takes the bare repository away and puts it back.
  void Hide() const;
  void Unhide() const;

  // "file://..."
  std::string url() const;
  const std::string& work() const { return work_; }
  // The folder that holds origin.git.
  const std::string& directory() const { return directory_; }

 private:
  const std::string directory_;
  const std::string bare_;
  const std::string work_;
};

}  // namespace fairlead::integration
