// Fields whose text is lines of pairs, and the array of tables that says the same.
#pragma once

#include "absl/strings/string_view.h"

#include "fairlead/v1/options.pb.h"

namespace fairlead::resources {

// How the lines look that an array becomes, and the keys of its tables.
struct LineForm {
  absl::string_view first;
  absl::string_view second;
  absl::string_view separator;
};

// Null for forms that are not lines of pairs.
const LineForm* FindLineForm(v1::Form form);

}  // namespace fairlead::resources
