#include "controller/loop/stack_files.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/status.h"
#include "controller/loop/stack_place.h"

namespace fairlead::loop {
namespace {

// How the file begins that stands in a repository for one in LFS.
constexpr absl::string_view kLfsPointer = "version https://git-lfs.github.com/spec/v1\n";

}  // namespace

absl::StatusOr<sync::StackFiles> ReadStackFiles(git::Mirror& mirror, const git::FileList& entries,
                                                std::size_t prefix_length) {
  auto files = std::make_shared<std::vector<v1::StackFile>>();
  for (const git::FileEntry& entry : entries) {
    if (entry.is_submodule) {
      return absl::FailedPreconditionError(
          absl::StrCat(entry.path,
                       " is a submodule, which is not fetched; copy its files into the repository, "
                       "or set run_directory to a folder without it"));
    }
    if (entry.is_symlink) continue;
    ASSIGN_OR_RETURN(std::string content, mirror.ReadBlob(entry.blob_id, kStackLimit), entry.path);
    if (absl::StartsWith(content, kLfsPointer)) {
      return absl::FailedPreconditionError(
          absl::StrCat(entry.path,
                       " is in git LFS, which is not fetched; commit the file itself "
                       "(git lfs migrate export), or use files_on_host"));
    }
    v1::StackFile& file = files->emplace_back();
    file.set_path(entry.path.substr(prefix_length));
    file.set_content(std::move(content));
  }
  return files;
}

}  // namespace fairlead::loop
