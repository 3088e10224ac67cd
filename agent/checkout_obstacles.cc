#include "agent/checkout_obstacles.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

// One search. Confined to its thread.
class Search {
 public:
  Search(const std::string& directory, const std::set<std::string>& tracked)
      : directory_(directory), tracked_(tracked) {}

  // Empty: there is none.
  std::string ObstacleOf(const WantedPath& wanted) {
    for (std::size_t slash = wanted.path.find('/'); slash != std::string::npos;
         slash = wanted.path.find('/', slash + 1)) {
      std::string folder = wanted.path.substr(0, slash);
      if (folders_.contains(folder)) continue;
      // A file, link or submodule that gives way.
      if (tracked_.contains(folder)) return "";
      const fs::file_status status = StatusOf(folder);
      if (!fs::exists(status)) return "";
      if (!fs::is_directory(status)) return folder;
      folders_.insert(std::move(folder));
    }
    const fs::file_status status = StatusOf(wanted.path);
    if (!fs::exists(status)) return "";
    if (!fs::is_directory(status)) return tracked_.contains(wanted.path) ? "" : wanted.path;
    return wanted.is_submodule ? "" : FirstIn(wanted.path);
  }

 private:
  fs::file_status StatusOf(const std::string& path) const {
    std::error_code error;
    return fs::symlink_status(absl::StrCat(directory_, "/", path), error);
  }

  // The first file in a folder that git does not know.
  std::string FirstIn(const std::string& folder) const {
    std::error_code error;
    for (fs::recursive_directory_iterator at(absl::StrCat(directory_, "/", folder), error);
         !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      std::error_code ignored;
      std::string path = at->path().lexically_relative(directory_).string();
      if (fs::is_directory(at->symlink_status(ignored))) {
        // A submodule that goes.
        if (tracked_.contains(path)) at.disable_recursion_pending();
        continue;
      }
      if (!tracked_.contains(path)) return path;
    }
    return "";
  }

  const std::string& directory_;
  const std::set<std::string>& tracked_;
  // Folders on disk that were looked at.
  std::set<std::string> folders_;
};

}  // namespace

std::vector<std::string> FindObstacles(const std::string& directory,
                                       const std::set<std::string>& tracked,
                                       const std::vector<WantedPath>& wanted, std::size_t most) {
  Search search(directory, tracked);
  std::vector<std::string> obstacles;
  for (const WantedPath& one : wanted) {
    if (obstacles.size() >= most) break;
    std::string obstacle = search.ObstacleOf(one);
    const bool is_new = std::find(obstacles.begin(), obstacles.end(), obstacle) == obstacles.end();
    if (!obstacle.empty() && is_new) obstacles.push_back(std::move(obstacle));
  }
  return obstacles;
}

}  // namespace fairlead::agent
