#include "integration/simulation/trace.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace fairlead::simulation {

void Trace::Add(absl::Duration since_start, absl::string_view actor, absl::string_view text) {
  std::string line =
      absl::StrFormat("%11.6f %-12s %s", absl::ToDoubleSeconds(since_start), actor, text);
  for (const char c : line) {
    hash_ = (hash_ ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  }
  ++count_;
  if (keep_) lines_.push_back(std::move(line));
}

}  // namespace fairlead::simulation
