#include "sync/git/mirror_directory.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace fairlead::git {
namespace {

namespace fs = std::filesystem;

constexpr char kDamagedMark[] = "fairlead-damaged";
constexpr std::array<absl::string_view, 15> kGitNames = {
    "HEAD", "FETCH_HEAD", "ORIG_HEAD", "branches",    "config",  "description", "hooks",    "info",
    "logs", "objects",    "refs",      "packed-refs", "shallow", kDamagedMark,  kHomeFolder};

// The names in `directory`; empty when there is no such folder.
std::vector<std::string> ListNames(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

bool IsGitName(const std::string& name) {
  return absl::c_linear_search(kGitNames, name) || absl::EndsWith(name, ".lock");
}

absl::Status RemoveContents(const std::string& directory, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    // Last, so that an interrupted removal is continued.
    if (name == kDamagedMark) continue;
    std::error_code error;
    fs::remove_all(fs::path(directory) / name, error);
    if (error) {
      return base::ErrnoStatus(error.value(), absl::StrCat("remove ", directory, "/", name));
    }
  }
  std::error_code ignored;
  fs::remove(fs::path(directory) / kDamagedMark, ignored);
  return absl::OkStatus();
}

int OpenBare(Repository& repository, const std::string& directory) {
  return Fill(repository, git_repository_open_ext, directory.c_str(),
              unsigned{GIT_REPOSITORY_OPEN_NO_SEARCH} | unsigned{GIT_REPOSITORY_OPEN_BARE},
              nullptr);
}

template <typename Iterator, typename Predicate>
void RemoveFilesIf(const fs::path& directory, Predicate predicate) {
  std::error_code error;
  std::vector<fs::path> found;
  for (Iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (predicate(it->path().filename().string())) found.push_back(it->path());
  }
  for (const fs::path& path : found) fs::remove(path, error);
}

}  // namespace

absl::StatusOr<Repository> OpenOrCreateRepository(const std::string& directory) {
  RETURN_IF_ERROR(StartLibrary());
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_directory(directory, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("mirror directory ", directory, " is not a directory"));
  }
  Repository repository;
  const bool damaged = fs::exists(fs::path(directory) / kDamagedMark, error);
  if (!damaged && OpenBare(repository, directory) == 0) return repository;

  const std::vector<std::string> names = ListNames(directory);
  for (const std::string& name : names) {
    if (IsGitName(name)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("mirror directory ", directory, " holds \"", name,
                     "\", which is not part of a mirror; choose an empty directory"));
  }
  RETURN_IF_ERROR(RemoveContents(directory, names));
  RETURN_IF_ERROR(base::MakeDirectories(directory));
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
  if (Fill(repository, git_repository_init_ext, directory.c_str(), &options) != 0) {
    return absl::UnavailableError(absl::StrCat("make mirror ", directory, ": ", LastError()));
  }
  return repository;
}

void RemoveLeftovers(const std::string& directory) {
  const auto is_lock = [](const std::string& name) { return absl::EndsWith(name, ".lock"); };
  const fs::path root(directory);
  RemoveFilesIf<fs::directory_iterator>(root, is_lock);
  RemoveFilesIf<fs::recursive_directory_iterator>(root / "refs", is_lock);
  RemoveFilesIf<fs::directory_iterator>(root / "objects" / "pack", [&](const std::string& name) {
    return is_lock(name) || absl::StartsWith(name, "pack_git2_");
  });
}

void MarkDamaged(const std::string& directory) {
  // A mark that cannot be written is written at the next failing read.
  std::ofstream mark(fs::path(directory) / kDamagedMark);
}

}  // namespace fairlead::git
