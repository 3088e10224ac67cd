#include "agent/log_lines.h"

#include <algorithm>
#include <utility>

namespace fairlead::agent {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::size_t kLongestLine = 64u << 10;

std::size_t Length(absl::string_view header) {
  std::size_t length = 0;
  for (std::size_t i = 4; i < kHeader; ++i) {
    length = length << 8 | static_cast<unsigned char>(header[i]);
  }
  return length;
}

}  // namespace

LogSplitter::LogSplitter(bool tty, bool timestamps, std::function<void(const LogLine&)> sink)
    : tty_(tty), timestamps_(timestamps), sink_(std::move(sink)) {}

void LogSplitter::Add(absl::string_view bytes) {
  if (tty_) {
    AddText(false, bytes);
    return;
  }
  while (!bytes.empty()) {
    if (payload_left_ == 0) {
      const std::size_t take = std::min(kHeader - header_.size(), bytes.size());
      header_.append(bytes.data(), take);
      bytes.remove_prefix(take);
      if (header_.size() < kHeader) return;
      payload_left_ = Length(header_);
      payload_is_stderr_ = header_[0] == 2;
      header_.clear();
      continue;
    }
    const std::size_t take = std::min(payload_left_, bytes.size());
    AddText(payload_is_stderr_, bytes.substr(0, take));
    bytes.remove_prefix(take);
    payload_left_ -= take;
  }
}

void LogSplitter::AddText(bool is_stderr, absl::string_view text) {
  std::string& partial = partial_[is_stderr ? 1 : 0];
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const absl::string_view part = text.substr(0, end);
    partial.append(part.data(), part.size());
    text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
    if (end != absl::string_view::npos || partial.size() > kLongestLine) Emit(is_stderr);
  }
}

void LogSplitter::Emit(bool is_stderr) {
  std::string& partial = partial_[is_stderr ? 1 : 0];
  LogLine line;
  line.is_stderr = is_stderr;
  line.text = std::exchange(partial, std::string());
  if (!line.text.empty() && line.text.back() == '\r') line.text.pop_back();
  if (timestamps_) {
    const std::size_t blank = line.text.find(' ');
    absl::Time time;
    std::string error;
    if (absl::ParseTime(absl::RFC3339_full, line.text.substr(0, blank), &time, &error)) {
      line.time = time;
      line.text.erase(0, blank == std::string::npos ? line.text.size() : blank + 1);
    }
  }
  sink_(line);
}

void LogSplitter::Finish() {
  for (const bool is_stderr : {false, true}) {
    if (!partial_[is_stderr ? 1 : 0].empty()) Emit(is_stderr);
  }
}

}  // namespace fairlead::agent
