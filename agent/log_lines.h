// The engine's log stream as lines.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::agent {

struct LogLine {
  // Infinite past when the engine gave none.
  absl::Time time = absl::InfinitePast();
  bool is_stderr = false;
  std::string text;
};

// Takes the bytes of a log answer apart: frames of 8 bytes of header and a payload, or raw text
// for a container with a terminal. Confined to one thread.
class LogSplitter {
 public:
  // With `timestamps` every line starts with a time and a blank.
  LogSplitter(bool tty, bool timestamps, std::function<void(const LogLine&)> sink);

  void Add(absl::string_view bytes);
  // Hands on lines that did not end.
  void Finish();

 private:
  void AddText(bool is_stderr, absl::string_view text);
  void Emit(bool is_stderr);

  const bool tty_;
  const bool timestamps_;
  const std::function<void(const LogLine&)> sink_;
  std::string header_;
  std::size_t payload_left_ = 0;
  bool payload_is_stderr_ = false;
  // By stream.
  std::string partial_[2];
};

}  // namespace fairlead::agent
