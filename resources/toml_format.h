// Resource files in canonical order and spelling.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::resources {

struct FormattedToml {
  // The content itself where the file is left as it is.
  std::string text;
  // Why it is left as it is: an error, or a notice that the file holds no resources. Else empty.
  std::vector<v1::Problem> problems;
};

// Orders the keys and tables of each entry as the .proto does, and brings blanks, blank lines and
// line ends into one form. Keeps the order of entries, the spelling of keys and values, and all
// comments: they stay before or behind the key or header that they stand at. The values are read
// from both texts and must be the same, else the problem "internal" says so. `path` is for
// problems only.
FormattedToml FormatToml(absl::string_view path, absl::string_view content, v1::Dialect dialect);

}  // namespace fairlead::resources
