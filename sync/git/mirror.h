// A local copy of a git repository, read at any revision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::git {

struct Revision {
  // 40 hexadecimal digits.
  std::string commit;
  // First line of the message; valid UTF-8 without control characters.
  std::string subject;
  absl::Time committed_at;
};

struct FileEntry {
  // From the root, '/' between parts; bytes as git has them, not always UTF-8.
  std::string path;
  // Names the content; of a submodule its commit.
  std::string blob_id;
  // Bytes; 0 for a submodule.
  uint64_t size = 0;
  // The content is the target of the link. Links are never followed.
  bool is_symlink = false;
  // Another repository; has no content here.
  bool is_submodule = false;
};

// Sorted by path, each path once.
using FileList = std::vector<FileEntry>;

// A bare repository below the data directory. Fetch fills it, this class reads it; nothing here
// touches the network. One owner; lives as long as its sync. Thread-compatible, and no Fetch of
// the same directory may run during a call. A mirror that turns out to be damaged reports
// Unavailable and is built anew by the next Fetch.
class Mirror {
 public:
  // Opens the mirror in `directory` or makes it, and removes what a killed fetch left behind.
  // FailedPrecondition when the directory holds something else. Requires: this process owns the
  // directory and no Fetch into it runs.
  static absl::StatusOr<std::unique_ptr<Mirror>> Open(const std::string& directory);
  ~Mirror();
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;

  // The commit that `ref` names: a full hash, a branch, a tag, a name that starts with "refs/",
  // or the first digits of a hash (at least 4), in this order. Sees what Fetch has brought since.
  // NotFound names the branches there are; InvalidArgument when several commits match or a tag is
  // not of a commit.
  absl::StatusOr<Revision> ResolveRevision(const std::string& ref);

  // All files of a commit that are one of `paths` or below one of them; all for no paths.
  // NotFound names the first path that is not in the commit; InvalidArgument for a path that
  // leaves the repository.
  absl::StatusOr<FileList> ListFiles(const std::string& commit,
                                     const std::vector<std::string>& paths);

  // The content of a FileEntry. InvalidArgument when it is longer than `limit` bytes.
  absl::StatusOr<std::string> ReadBlob(const std::string& blob_id, std::size_t limit);

  // Paths added, removed or changed between two commits, sorted. NotFound when the mirror no
  // longer has one of them, as after a force push.
  absl::StatusOr<std::vector<std::string>> ChangedFiles(const std::string& old_commit,
                                                        const std::string& new_commit);

  // Id of the folder or file at `path` ("" is the root): equal ids have equal contents. NotFound
  // when the commit has no such path.
  absl::StatusOr<std::string> TreeId(const std::string& commit, absl::string_view path);

  const std::string& directory() const { return directory_; }

 private:
  struct State;
  Mirror(std::string directory, std::unique_ptr<State> state);

  absl::Status Reopen();
  absl::Status Damaged(absl::string_view what);

  const std::string directory_;
  std::unique_ptr<State> state_;
};

}  // namespace fairlead::git
