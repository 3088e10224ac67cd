// Which files of a build context docker leaves out.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::agent {

// The rules of a .dockerignore: one pattern a line, "#" begins a comment, "!" takes back in, the
// last one that matches counts, and what matches a folder matches all in it. `*` and `?` do not
// match "/",
// `**` does. A value.
class DockerIgnore {
 public:
  explicit DockerIgnore(absl::string_view text);

  // `path` is relative to the context, without "./".
  bool Ignores(const std::string& path) const;
  // Nothing below an ignored folder can be taken back in.
  bool has_exceptions() const { return has_exceptions_; }

 private:
  struct Rule {
    std::string pattern;
    bool takes_back = false;
  };
  std::vector<Rule> rules_;
  bool has_exceptions_ = false;
};

}  // namespace fairlead::agent
