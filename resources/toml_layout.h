// A resource file as people wrote it: what a parser drops is kept, so that a tool can rewrite the
// file without loss.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::resources {

// Comments, each with its '#' and without blanks around it. "" stands for one or more blank lines.
using LayoutLines = std::vector<std::string>;

// key = value
struct LayoutPair {
  // What stands before it.
  LayoutLines lead;
  // Parts of the key, without quotes.
  std::vector<std::string> path;
  // As spelled, without blanks around the dots.
  std::string key;
  // As spelled, on as many lines as it was. Blanks at line ends and the indentation of the key are
  // taken off outside of strings.
  std::string value;
  // Behind the value with the blanks before it, at least one; empty when there is none.
  std::string comment;
};

// A header and what follows up to the next one. Comments right before a header are its lead;
// others before a header, or before the end of the file, are the tail of the table above.
struct LayoutTable {
  LayoutLines lead;
  // Parts of the header; none in the root table.
  std::vector<std::string> path;
  // [[ and ]].
  bool is_array = false;
  // As spelled, without blanks between its parts.
  std::string header;
  // Behind the header, as that of a pair.
  std::string comment;
  // Above the first pair, a blank line away from it.
  LayoutLines top;
  std::vector<LayoutPair> pairs;
  LayoutLines tail;
};

// The root table comes first, even when it is empty. `text` is a file that ParseToml reads; in the
// komodo dialect backslashes between """ are literal. InvalidArgument names the line that does not
// look like TOML; much that is not TOML passes.
absl::StatusOr<std::vector<LayoutTable>> ScanLayout(absl::string_view text, v1::Dialect dialect);

}  // namespace fairlead::resources
