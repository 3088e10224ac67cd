// The files and the record of one compose project.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// What compose is called with; absolute paths.
struct StackInput {
  std::string run_directory;
  std::vector<std::string> compose_files;
  // Later ones win.
  std::vector<std::string> env_files;
};

// DATA_DIR/stacks/PROJECT: files/ with what the stack brings, manifest.json with what was written
// and how compose was called, override.json, record. Folders that containers filled stay when the
// files around them go. Not thread-safe for one project.
class StackFolder {
 public:
  StackFolder(const std::string& data_directory, const std::string& project);

  // Writes what `request` brings, removes files of the last time that are no longer there, and
  // writes the manifest. InvalidArgument for a path that leaves the folder; NotFound for a host
  // directory or compose file that is not there.
  absl::StatusOr<StackInput> Write(const v1::ApplyStack& request) const;

  // As of the last Write. NotFound when there was none.
  absl::StatusOr<StackInput> Read() const;

  // Absolute paths of the files of the stack, sorted.
  absl::StatusOr<std::vector<std::string>> WrittenFiles() const;

  // A file of this folder beside those of the stack.
  std::string PathOf(const std::string& name) const;

  // NotFound when the project was never applied completely.
  absl::StatusOr<v1::Project> ReadRecord() const;
  absl::Status WriteRecord(const v1::Project& project) const;

  // Removes the stack's files and at the end the record.
  absl::Status Clear() const;

 private:
  struct Manifest {
    std::vector<std::string> files;
    StackInput input;
  };
  absl::StatusOr<Manifest> ReadManifest() const;
  absl::Status WriteManifest(const Manifest& manifest) const;
  absl::Status WriteFiles(const v1::ApplyStack& request, const std::string& root) const;
  absl::Status WriteFile(const std::string& root, const std::string& path,
                         const std::string& content, unsigned mode) const;
  absl::Status RemoveFiles(const std::vector<std::string>& paths) const;

  const std::string directory_;
};

// The records of all projects, by name.
std::vector<v1::Project> ReadProjects(const std::string& data_directory);

// InvalidArgument for what compose does not take as a project name.
absl::Status CheckProjectName(const std::string& project);

}  // namespace fairlead::agent
