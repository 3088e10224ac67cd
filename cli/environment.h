// What a run of the client reaches outside itself.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

#include "absl/time/time.h"

#include "base/clock.h"
#include "cli/render/text.h"

namespace fairlead::cli {

// The streams, variables and clock of one run. Everything in it outlives the run.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  const base::Clock& clock;
  // Value of an environment variable, or nothing.
  std::function<std::optional<std::string>(const std::string&)> variable;
  // Whether `out` is a terminal, and its size, which may change meanwhile.
  bool out_is_terminal = false;
  std::function<ScreenSize()> screen = [] { return ScreenSize(); };
  absl::TimeZone zone = absl::UTCTimeZone();
  // Whether somebody types at `in`, and how what they type is hidden or shown.
  bool in_is_terminal = false;
  std::function<void(bool shown)> set_echo = [](bool) {};
};

}  // namespace fairlead::cli
