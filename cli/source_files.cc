#include "cli/source_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "resources/problem_codes.h"
#include "resources/toml_reader.h"

namespace fairlead::cli {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.size() > 1 && name[0] == '.' && name != "..";
}

v1::Problem MakeProblem(const std::string& path, v1::Severity severity, const char* code,
                        std::string message, const char* suggestion) {
  v1::Problem problem;
  problem.set_file(path);
  problem.set_severity(severity);
  problem.set_code(code);
  problem.set_message(std::move(message));
  problem.set_suggestion(suggestion);
  return problem;
}

v1::Problem Unreadable(const std::string& path, const std::string& why) {
  return MakeProblem(path, v1::SEVERITY_ERROR, "unreadable", absl::StrCat("cannot be read: ", why),
                     "make it readable for you, or leave it out");
}

// Paths of .toml files, and what was in the way.
struct Found {
  std::set<std::string> paths;
  std::vector<v1::Problem> problems;
};

// One folder without those in it, which are added to `folders`.
void AddFolder(const fs::path& folder, std::vector<fs::path>& folders, Found& found) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    const fs::path path = it->path().lexically_normal();
    std::error_code ignored;
    const fs::file_type type = it->symlink_status(ignored).type();
    const bool toml = path.extension() == ".toml";
    if (type == fs::file_type::directory) {
      if (!IsHidden(path)) folders.push_back(path);
    } else if (type == fs::file_type::symlink && toml) {
      found.problems.push_back(MakeProblem(
          path.string(), v1::SEVERITY_NOTICE, resources::kSymbolicLinkCode,
          "symbolic link; it is not followed", "put a file in its place if it is to count"));
    } else if (type == fs::file_type::regular && toml) {
      found.paths.insert(path.string());
    }
  }
  if (error) found.problems.push_back(Unreadable(folder.string(), error.message()));
}

void AddTree(const fs::path& root, Found& found) {
  std::vector<fs::path> folders = {root};
  while (!folders.empty()) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    AddFolder(folder, folders, found);
  }
}

absl::StatusOr<v1::SourceFile> ReadSource(const std::string& path, const std::string& name) {
  v1::SourceFile file;
  file.set_path(name);
  ASSIGN_OR_RETURN(*file.mutable_content(), base::ReadFile(path, resources::kLargestFile));
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

absl::StatusOr<SourceTree> ReadSourceFiles(const std::vector<std::string>& paths) {
  Found found;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_directory(status)) {
      AddTree(path, found);
    } else if (status.type() == fs::file_type::not_found) {
      return absl::NotFoundError(absl::StrCat("\"", path, "\" is not there"));
    } else {
      found.paths.insert(path);
    }
  }
  SourceTree tree;
  tree.problems = std::move(found.problems);
  for (const std::string& path : found.paths) {
    absl::StatusOr<v1::SourceFile> file = ReadSource(path, path);
    if (file.ok()) {
      tree.files.push_back(*std::move(file));
    } else if (absl::IsResourceExhausted(file.status())) {
      tree.problems.push_back(resources::TooLargeProblem(path));
    } else {
      const std::string why(file.status().message());
      tree.problems.push_back(
          Unreadable(path, std::string(absl::StripPrefix(why, absl::StrCat("open ", path, ": ")))));
    }
  }
  return tree;
}

absl::Status FirstError(const std::vector<v1::Problem>& problems) {
  for (const v1::Problem& problem : problems) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("\"", problem.file(), "\": ", problem.message(), "; ", problem.suggestion()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SourceFile>> ReadWorkingTree(const std::string& root,
                                                            v1::Dialect dialect) {
  std::error_code error;
  if (!fs::is_directory(root, error)) {
    return absl::NotFoundError(absl::StrCat("--dir \"", root, "\" is not a folder"));
  }
  Found found;
  AddTree(root, found);
  RETURN_IF_ERROR(FirstError(found.problems));
  std::vector<v1::SourceFile> files;
  std::set<std::string> referenced;
  std::set<std::string> added;
  for (const std::string& path : found.paths) {
    const std::string name = fs::path(path).lexically_relative(fs::path(root).lexically_normal());
    ASSIGN_OR_RETURN(files.emplace_back(), ReadSource(path, name));
    added.insert(name);
    const resources::ParsedFile parsed = resources::ReadToml(name, files.back().content(), dialect);
    for (const resources::Declaration& declaration : parsed.declarations) {
      if (declaration.spec == nullptr || !declaration.spec->has_stack()) continue;
      for (const std::string& file : FilesOf(declaration.spec->stack())) referenced.insert(file);
    }
  }
  const fs::path canonical_root = fs::canonical(root, error);
  for (const std::string& name : referenced) {
    const fs::path path = canonical_root / name;
    // A file that is not there is the controller's to report, with the place that names it. A
    // link may lead out of the tree.
    if (!fs::is_regular_file(path, error) || fs::canonical(path, error) != path) continue;
    if (!added.insert(name).second) continue;
    ASSIGN_OR_RETURN(files.emplace_back(), ReadSource(path, name));
  }
  return files;
}

}  // namespace fairlead::cli
