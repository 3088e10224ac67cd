// A folder for what only the running action may read.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::agent {

// DATA_DIR/private/XXXXXX, mode 0700; removed with everything in it at the end. What a killed agent
// left is removed by ClearPrivateFolders. Confined to one thread.
class PrivateFolder {
 public:
  static absl::StatusOr<PrivateFolder> Make(const std::string& data_directory);
  ~PrivateFolder();
  PrivateFolder(PrivateFolder&& other) noexcept;
  PrivateFolder& operator=(PrivateFolder&&) = delete;

  const std::string& path() const { return path_; }
  // Writes a file and returns its path.
  absl::StatusOr<std::string> Write(const std::string& name, absl::string_view content,
                                    unsigned mode = 0600) const;

 private:
  explicit PrivateFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// At the start of the agent, before any action.
void ClearPrivateFolders(const std::string& data_directory);

// Removes a folder with everything in it, whoever may not write in it.
absl::Status RemoveTree(const std::string& path);

}  // namespace fairlead::agent
