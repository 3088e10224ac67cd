// What the programs of an action print, on its way to people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct OutputBounds {
  // For one action.
  std::size_t lines = 2000;
  std::size_t bytes = 256u << 10;
  double lines_per_second = 200;
  // Longer lines are cut.
  std::size_t line_bytes = 4096;
  // The last lines say why it failed: so many are kept back and sent at the end, beyond the bounds.
  std::size_t tail = 50;
  absl::Duration batch_delay = absl::Milliseconds(250);
  std::size_t batch_lines = 100;
};

// Redacts lines, cuts them, and sends them in batches; what exceeds the bounds is counted and left
// out, so that a program that floods fills nothing. Confined to the action's thread.
class ActionOutput {
 public:
  using Send = std::function<void(const v1::ActionLog&)>;
  using Redact = std::function<std::string(const std::string&)>;

  // `action` and `clock` outlive this; without `send` nothing is sent.
  ActionOutput(const v1::Action& action, Send send, Redact redact, const base::Clock& clock,
               OutputBounds bounds = {});

  // One line without its end. A piece of more than 64 KiB is the begin of a line whose rest comes
  // as the next ones, as base::Subprocess cuts them.
  void Add(absl::string_view line);
  // Sends what waits for company long enough; to be called some times a second.
  void Tick();
  // Sends all that is left.
  void Finish();

  // The last lines of all, redacted, oldest first: for an error message.
  std::string LastLines(std::size_t count) const;

 private:
  // Redacted, and cut.
  std::string Shown(const std::string& line) const;
  // Moves kept lines to the batch as far as the bounds allow.
  void Fill(absl::Time now);
  void SendBatch();

  const v1::Action& action_;
  const Send send_;
  const Redact redact_;
  const base::Clock& clock_;
  const OutputBounds bounds_;

  // Lines that the rate or the bounds hold back, at most `tail`, as they came.
  std::deque<std::string> kept_;
  // Left out before the first of `kept_`.
  uint64_t dropped_ = 0;
  v1::ActionLog batch_;
  absl::Time batch_began_ = absl::InfinitePast();
  std::deque<std::string> last_;
  std::size_t lines_sent_ = 0;
  std::size_t bytes_sent_ = 0;
  // Lines that may go now, refilled by time.
  double allowance_;
  absl::Time refilled_;
  bool in_long_line_ = false;
};

}  // namespace fairlead::agent
