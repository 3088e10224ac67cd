#include "controller/loop/stack_files.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "controller/loop/stack_place.h"

namespace fairlead::loop {

absl::StatusOr<sync::StackFiles> ReadStackFiles(git::Mirror& mirror, const git::FileList& entries,
                                                std::size_t prefix_length) {
  auto files = std::make_shared<std::vector<v1::StackFile>>();
  for (const git::FileEntry& entry : entries) {
    if (entry.is_symlink || entry.is_submodule) continue;
    ASSIGN_OR_RETURN(std::string content, mirror.ReadBlob(entry.blob_id, kStackLimit), entry.path);
    v1::StackFile& file = files->emplace_back();
    file.set_path(entry.path.substr(prefix_length));
    file.set_content(std::move(content));
  }
  return files;
}

}  // namespace fairlead::loop
