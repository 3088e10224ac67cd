// Which of many names are meant.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Names, wildcards (`*` any text, `?` one character) and regexes between backslashes, separated by
// newline or comma. A regex means a name that it matches anywhere in. A value.
class NamePattern {
 public:
  // InvalidArgument says what of the text cannot be read.
  static absl::StatusOr<NamePattern> Parse(absl::string_view text);

  bool Matches(const std::string& name) const;

 private:
  struct Part;
  std::vector<std::shared_ptr<const Part>> parts_;
};

}  // namespace fairlead::resources
