// Whole-file reads and crash-safe writes.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

// NotFound when it is not there; ResourceExhausted above `limit` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit = 256u << 20);

// A file with secrets. PermissionDenied when others than its owner may read it.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path,
                                            std::size_t limit = 256u << 20);

// Writes a temporary file beside `path`, fsyncs, renames, fsyncs the folder: after a crash the
// old content or the new one is there, never a part. `mode` as in chmod.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view content,
                                 unsigned mode = 0600);

// Likewise for a file that is there: it keeps its mode and, where that is allowed, its owner.
absl::Status ReplaceFileAtomically(const std::string& path, absl::string_view content);

// mkdir -p.
absl::Status MakeDirectories(const std::string& path, unsigned mode = 0700);

// A lock on a file, held by this process until destroyed; the kernel ends it with the process.
class FileLock {
 public:
  FileLock() = default;
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;

  // FailedPrecondition when another process holds it; the message names its pid.
  static absl::StatusOr<FileLock> Acquire(const std::string& path);

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace fairlead::base
