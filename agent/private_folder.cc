#include "agent/private_folder.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

std::string FolderOf(const std::string& data_directory) {
  return (fs::absolute(data_directory) / "private").lexically_normal().string();
}

}  // namespace

absl::StatusOr<PrivateFolder> PrivateFolder::Make(const std::string& data_directory) {
  const std::string all = FolderOf(data_directory);
  RETURN_IF_ERROR(base::MakeDirectories(all));
  std::string path = absl::StrCat(all, "/XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) {
    return base::ErrnoStatus(errno, absl::StrCat("make a folder in ", all));
  }
  return PrivateFolder(std::move(path));
}

PrivateFolder::~PrivateFolder() {
  if (path_.empty()) return;
  const absl::Status removed = RemoveTree(path_);
  if (!removed.ok()) base::LogError("agent", removed.message());
}

PrivateFolder::PrivateFolder(PrivateFolder&& other) noexcept
    : path_(std::exchange(other.path_, "")) {}

absl::StatusOr<std::string> PrivateFolder::Write(const std::string& name, absl::string_view content,
                                                 unsigned mode) const {
  std::string path = absl::StrCat(path_, "/", name);
  RETURN_IF_ERROR(base::WriteFileAtomically(path, content, mode));
  return path;
}

void ClearPrivateFolders(const std::string& data_directory) {
  if (data_directory.empty()) return;
  const absl::Status removed = RemoveTree(FolderOf(data_directory));
  if (!removed.ok()) base::LogError("agent", removed.message());
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return absl::OkStatus();
  // A build may have left folders without permission to write.
  for (fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied,
                                           error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored) && !at->is_symlink(ignored)) {
      fs::permissions(at->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    }
  }
  fs::remove_all(path, error);
  return error ? base::ErrnoStatus(error.value(), absl::StrCat("remove ", path)) : absl::OkStatus();
}

}  // namespace fairlead::agent
