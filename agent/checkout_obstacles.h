// Files of other people in a checkout that is about to change.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace fairlead::agent {

// Of the revision that is to be there; relative, '/' between parts.
struct WantedPath {
  std::string path;
  bool is_submodule = false;
};

// The files below `directory` that git does not know and that it would have to remove or overwrite
// to write `wanted`: at most `most` of them, relative, each once. `tracked` are all paths that it
// knows now; what stands there, changed or not, is git's own.
std::vector<std::string> FindObstacles(const std::string& directory,
                                       const std::set<std::string>& tracked,
                                       const std::vector<WantedPath>& wanted, std::size_t most);

}  // namespace fairlead::agent
