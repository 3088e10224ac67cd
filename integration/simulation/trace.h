// What happened, in words, one line an event.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::simulation {

// Always hashed, so that two runs can be compared; kept only when it is to be read.
class Trace {
 public:
  explicit Trace(bool keep) : keep_(keep) {}

  // "12.345678 agent-1      starts action ...".
  void Add(absl::Duration since_start, absl::string_view actor, absl::string_view text);

  uint64_t hash() const { return hash_; }
  uint64_t count() const { return count_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  const bool keep_;
  uint64_t hash_ = 0xcbf29ce484222325ull;
  uint64_t count_ = 0;
  std::vector<std::string> lines_;
};

}  // namespace fairlead::simulation
