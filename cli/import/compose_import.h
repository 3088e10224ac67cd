// From compose files to the stack that declares them. The files are carried as text, not read as
// YAML: only a top-level `name:` and mentions of other files are looked for, line by line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"

namespace fairlead::cli {

// The compose files of one folder, in the order in which compose takes them.
struct ComposeFolder {
  // Last part of the folder's path.
  std::string name;
  struct File {
    std::string name;
    std::string content;
  };
  std::vector<File> files;
  // Content of `.env` in it; empty when there is none.
  std::string env;
  // Whether a path below it, such as "conf/nginx.conf", is a regular file.
  std::function<bool(const std::string&)> is_file;
};

struct ComposeImportOptions {
  // Empty is the `name:` of the files, else the name of the folder.
  std::string name;
  std::string server;
  // Where the files lie below the root of the repository ("." is the root itself); empty: they
  // are written into the resource.
  std::string run_directory;
};

struct ImportedStack {
  v1::Resource stack;
  // What to do or to think of, a line each.
  std::vector<std::string> cares;
  // Keys of `.env` that look secret and stand in clear.
  std::vector<std::string> secrets;
};

// InvalidArgument for several files without a run directory.
absl::StatusOr<ImportedStack> ImportCompose(const ComposeFolder& folder,
                                            const ComposeImportOptions& options);

// The value of a top-level `name:`; empty when there is none, or when it is filled in by compose.
std::string TopLevelName(absl::string_view content);

}  // namespace fairlead::cli
