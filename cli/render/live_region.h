// Lines at the end of a terminal that change in place.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::cli {

// Confined to one thread. Whoever draws keeps the lines within the screen: the cursor cannot go
// above its first line.
class LiveRegion {
 public:
  // Text for the terminal: `above`, whole lines that stay, goes to the place of the lines drawn
  // before, and `lines` below it. Empty when nothing changes.
  std::string Draw(absl::string_view above, const std::vector<std::string>& lines);

 private:
  std::vector<std::string> shown_;
};

}  // namespace fairlead::cli
