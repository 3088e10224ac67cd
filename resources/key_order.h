// The order of keys in resource files: that of the fields in the .proto.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace fairlead::resources {

// Ranks keys: entry fields, then keys that nobody knows as they come, then config. Confined to one
// thread.
class KeyOrder {
 public:
  // A number for each part of a key whose first part is a top-level table. Paths are in order when
  // their ranks are, lexicographically. A key without a field comes behind those that have one, and
  // keeps its place among its like in the order in which this object saw them first.
  std::vector<std::size_t> RankOf(const std::vector<std::string>& path);

 private:
  // Paths that end in such a key, with their place.
  std::map<std::vector<std::string>, std::size_t> unknown_;
};

}  // namespace fairlead::resources
