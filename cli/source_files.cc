#include "cli/source_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"
#include "resources/toml_reader.h"

namespace fairlead::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileLimit = 10u << 20;

bool IsHidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.size() > 1 && name[0] == '.' && name != "..";
}

absl::Status AddFolder(const fs::path& folder, std::set<std::string>& paths) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && IsHidden(it->path())) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(ignored) && it->path().extension() == ".toml") {
      paths.insert(it->path().lexically_normal().string());
    }
  }
  if (!error) return absl::OkStatus();
  return base::ErrnoStatus(error.value(), absl::StrCat("read folder \"", folder.string(), "\""));
}

absl::StatusOr<v1::SourceFile> ReadSource(const std::string& path, const std::string& name) {
  v1::SourceFile file;
  file.set_path(name);
  ASSIGN_OR_RETURN(*file.mutable_content(), base::ReadFile(path, kFileLimit));
  return file;
}

// Paths of the files of a stack, relative to the root of the tree.
std::vector<std::string> FilesOf(const v1::Stack& stack) {
  if (stack.files_on_host() || !stack.file_contents().empty()) return {};
  std::vector<std::string> names(stack.file_paths().begin(), stack.file_paths().end());
  if (names.empty()) names.emplace_back("compose.yaml");
  names.push_back(stack.env_file_path());
  for (const auto& file : stack.additional_env_files()) names.push_back(file.path());
  for (const auto& file : stack.config_files()) names.push_back(file.path());
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    const fs::path path = (fs::path(stack.run_directory()) / name).lexically_normal();
    // What lies outside the tree is not in the repository either.
    if (name.empty() || path.is_absolute() || absl::StartsWith(path.string(), "..")) continue;
    paths.push_back(path.string());
  }
  return paths;
}

}  // namespace

absl::StatusOr<std::vector<v1::SourceFile>> ReadSourceFiles(const std::vector<std::string>& paths) {
  std::set<std::string> found;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
      RETURN_IF_ERROR(AddFolder(path, found));
    } else if (fs::exists(status)) {
      found.insert(path);
    } else {
      return absl::NotFoundError(absl::StrCat("\"", path, "\" is not there"));
    }
  }
  std::vector<v1::SourceFile> files;
  for (const std::string& path : found) {
    ASSIGN_OR_RETURN(files.emplace_back(), ReadSource(path, path));
  }
  return files;
}

absl::StatusOr<std::vector<v1::SourceFile>> ReadWorkingTree(const std::string& root,
                                                            v1::Dialect dialect) {
  std::error_code error;
  if (!fs::is_directory(root, error)) {
    return absl::NotFoundError(absl::StrCat("--dir \"", root, "\" is not a folder"));
  }
  std::set<std::string> paths;
  RETURN_IF_ERROR(AddFolder(root, paths));
  std::vector<v1::SourceFile> files;
  std::set<std::string> referenced;
  std::set<std::string> added;
  for (const std::string& path : paths) {
    const std::string name = fs::path(path).lexically_relative(fs::path(root).lexically_normal());
    ASSIGN_OR_RETURN(files.emplace_back(), ReadSource(path, name));
    added.insert(name);
    const resources::ParsedFile parsed = resources::ReadToml(name, files.back().content(), dialect);
    for (const resources::Declaration& declaration : parsed.declarations) {
      if (declaration.spec == nullptr || !declaration.spec->has_stack()) continue;
      for (const std::string& file : FilesOf(declaration.spec->stack())) referenced.insert(file);
    }
  }
  for (const std::string& name : referenced) {
    const std::string path = (fs::path(root) / name).string();
    // A file that is not there is the controller's to report, with the place that names it.
    if (!fs::is_regular_file(path, error) || !added.insert(name).second) continue;
    ASSIGN_OR_RETURN(files.emplace_back(), ReadSource(path, name));
  }
  return files;
}

}  // namespace fairlead::cli
