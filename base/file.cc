#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::base {
namespace {

absl::Status WriteAll(int fd, absl::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("write ", path));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", directory));
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  return result == 0 ? absl::OkStatus() : ErrnoStatus(error, absl::StrCat("fsync ", directory));
}

// Gives the file the mode, and the owner of `old` when there is one.
absl::Status SetAttributes(int fd, const std::string& path, mode_t mode, const struct stat* old) {
  if (old != nullptr && (old->st_uid != ::geteuid() || old->st_gid != ::getegid())) {
    // Only root may give a file away; for others it is theirs from now on.
    [[maybe_unused]] const int ignored = ::fchown(fd, old->st_uid, old->st_gid);
  }
  if (::fchmod(fd, mode) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("chmod ", path));
}

absl::Status WriteAtomically(const std::string& path, absl::string_view content, mode_t mode,
                             const struct stat* old) {
  const std::string temporary = absl::StrCat(path, ".new.", ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode & 0700);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("create ", temporary));
  absl::Status status = WriteAll(fd, content, temporary);
  if (status.ok()) status = SetAttributes(fd, temporary, mode, old);
  if (status.ok() && ::fsync(fd) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("fsync ", temporary));
  }
  ::close(fd);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("rename ", temporary));
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return SyncDirectory(parent.empty() ? "." : parent);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  std::string content;
  absl::Status status;
  char buffer[65536];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) status = ErrnoStatus(errno, absl::StrCat("read ", path));
    if (got <= 0) break;
    if (content.size() + static_cast<std::size_t>(got) > limit) {
      status = absl::ResourceExhaustedError(absl::StrCat(path, ": larger than ", limit, " bytes"));
      break;
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(fd);
  if (!status.ok()) return status;
  return content;
}

absl::StatusOr<std::string> ReadPrivateFile(const std::string& path, std::size_t limit) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        path, ": others may read this file, which holds secrets; run: chmod 600 ", path));
  }
  return ReadFile(path, limit);
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view content,
                                 unsigned mode) {
  return WriteAtomically(path, content, static_cast<mode_t>(mode), nullptr);
}

absl::Status ReplaceFileAtomically(const std::string& path, absl::string_view content) {
  struct stat old{};
  if (::stat(path.c_str(), &old) != 0) return ErrnoStatus(errno, absl::StrCat("look at ", path));
  return WriteAtomically(path, content, old.st_mode & 07777, &old);
}

absl::Status MakeDirectories(const std::string& path, unsigned mode) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return absl::OkStatus();
  if (!std::filesystem::create_directories(path, error) && error) {
    return ErrnoStatus(error.value(), absl::StrCat("create directory ", path));
  }
  if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  }
  return absl::OkStatus();
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  FileLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t got = ::read(fd, holder, sizeof(holder) - 1);
    const std::string pid(holder, got > 0 ? static_cast<std::size_t>(got) : 0);
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is locked by another process",
                     pid.empty() ? "" : absl::StrCat(" (pid ", pid, ")")));
  }
  const std::string pid = absl::StrCat(::getpid());
  if (::ftruncate(fd, 0) != 0) return ErrnoStatus(errno, absl::StrCat("truncate ", path));
  RETURN_IF_ERROR(WriteAll(fd, pid, path));
  return lock;
}

}  // namespace fairlead::base
