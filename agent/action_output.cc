#include "agent/action_output.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "agent/plain_text.h"

namespace fairlead::agent {
namespace {

// base::Subprocess hands on pieces of this size of a line that does not end.
constexpr std::size_t kPiece = 65536;
constexpr std::size_t kLastLines = 12;

}  // namespace

ActionOutput::ActionOutput(const v1::Action& action, Send send, Redact redact,
                           const base::Clock& clock, OutputBounds bounds)
    : action_(action),
      send_(std::move(send)),
      redact_(std::move(redact)),
      clock_(clock),
      bounds_(bounds),
      allowance_(bounds.lines_per_second),
      refilled_(clock.Now()) {}

void ActionOutput::Add(absl::string_view line) {
  const bool continues = std::exchange(in_long_line_, line.size() >= kPiece);
  // A secret could lie across the border of two pieces: only the first one is shown.
  if (continues) return;
  // Most lines of a flood are never shown: they are not looked at either.
  last_.emplace_back(line);
  if (last_.size() > kLastLines) last_.pop_front();
  kept_.emplace_back(line);
  Fill(clock_.Now());
  if (kept_.size() > bounds_.tail) {
    kept_.pop_front();
    ++dropped_;
  }
}

void ActionOutput::Tick() {
  const absl::Time now = clock_.Now();
  Fill(now);
  // A clock that was set back must not hold a batch for long.
  const bool is_due = now - batch_began_ >= bounds_.batch_delay || now < batch_began_;
  if (batch_.lines_size() > 0 && is_due) SendBatch();
}

void ActionOutput::Finish() {
  if (dropped_ > 0 && batch_.lines_size() > 0) SendBatch();
  batch_.set_dropped(batch_.dropped() + std::exchange(dropped_, 0));
  for (const std::string& line : kept_) batch_.add_lines(Shown(line));
  kept_.clear();
  if (batch_.lines_size() > 0 || batch_.dropped() > 0) SendBatch();
}

std::string ActionOutput::LastLines(std::size_t count) const {
  std::vector<std::string> lines;
  for (const std::string& line : last_) {
    const std::string shown = Shown(line);
    const absl::string_view stripped = absl::StripAsciiWhitespace(shown);
    if (!stripped.empty()) lines.emplace_back(stripped.substr(0, 500));
  }
  if (lines.size() > count) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  }
  return absl::StrJoin(lines, "\n");
}

std::string ActionOutput::Shown(const std::string& line) const {
  std::string text = PlainText(redact_(line));
  if (text.size() <= bounds_.line_bytes) return text;
  text.resize(bounds_.line_bytes);
  return PlainText(text) + "...";
}

void ActionOutput::Fill(absl::Time now) {
  const double seconds = absl::ToDoubleSeconds(now - refilled_);
  refilled_ = now;
  allowance_ = std::min(bounds_.lines_per_second,
                        allowance_ + std::max(0.0, seconds) * bounds_.lines_per_second);
  // In a flood few large pieces say more than many small ones.
  const double piece = std::min(static_cast<double>(bounds_.tail), bounds_.lines_per_second);
  if (dropped_ > 0 && allowance_ < piece) return;
  while (!kept_.empty()) {
    if (lines_sent_ + bounds_.tail >= bounds_.lines || allowance_ < 1) return;
    std::string line = Shown(kept_.front());
    const std::size_t size = line.size() + 1;
    if (bytes_sent_ + size > bounds_.bytes) {
      lines_sent_ = bounds_.lines;
      return;
    }
    // What is missing is said before the lines behind it.
    if (dropped_ > 0 && batch_.lines_size() > 0) SendBatch();
    batch_.set_dropped(batch_.dropped() + std::exchange(dropped_, 0));
    if (batch_.lines_size() == 0) batch_began_ = now;
    batch_.add_lines(std::move(line));
    kept_.pop_front();
    allowance_ -= 1;
    lines_sent_ += 1;
    bytes_sent_ += size;
    if (static_cast<std::size_t>(batch_.lines_size()) >= bounds_.batch_lines) SendBatch();
  }
}

void ActionOutput::SendBatch() {
  batch_.set_action_id(action_.id());
  batch_.set_resource(action_.resource());
  if (send_) send_(batch_);
  batch_.Clear();
}

}  // namespace fairlead::agent
