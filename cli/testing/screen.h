// A small terminal, to look at what is on it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace fairlead::cli {

// Knows what LiveRegion uses; colours are passed over, any other control code is a mistake. A
// character is a byte.
class Screen {
 public:
  Screen(std::size_t width, std::size_t height) : width_(width), height_(height) {}

  void Write(absl::string_view text) {
    while (!text.empty()) {
      const char c = text.front();
      text.remove_prefix(1);
      if (c == '\x1b') {
        text.remove_prefix(Control(text));
      } else if (c == '\n') {
        column_ = 0;
        MoveTo(row_ + 1);
      } else if (c == '\r') {
        column_ = 0;
      } else {
        Put(c);
      }
    }
  }

  // All lines from the first on, those scrolled away too, without blanks at their ends.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines = lines_;
    for (std::string& line : lines) line.resize(line.find_last_not_of(' ') + 1);
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
  }
  // The cursor was to go above the first line on the screen, or a code was not known.
  bool broken() const { return broken_; }

 private:
  void MoveTo(std::size_t row) {
    row_ = row;
    if (lines_.size() <= row_) lines_.resize(row_ + 1);
  }
  void Put(char c) {
    if (column_ >= width_) {
      if (wraps_) MoveTo(row_ + 1);
      column_ = wraps_ ? 0 : width_ - 1;
    }
    MoveTo(row_);
    std::string& line = lines_[row_];
    if (line.size() <= column_) line.resize(column_ + 1, ' ');
    line[column_++] = c;
  }
  // The length of the code.
  std::size_t Control(absl::string_view text) {
    const std::size_t end = text.find_first_not_of("[?0123456789;");
    if (end == absl::string_view::npos) {
      broken_ = true;
      return text.size();
    }
    const absl::string_view code = text.substr(0, end + 1);
    if (code == "[2K") {
      MoveTo(row_);
      lines_[row_].clear();
    } else if (code == "[J") {
      MoveTo(row_);
      lines_.resize(row_ + 1);
      lines_[row_].resize(std::min(lines_[row_].size(), column_));
    } else if (code == "[?7l" || code == "[?7h") {
      wraps_ = code.back() == 'h';
    } else if (code.back() == 'A') {
      GoUp(code.substr(1, code.size() - 2));
    } else if (code.back() != 'm') {
      broken_ = true;
    }
    return code.size();
  }
  void GoUp(absl::string_view number) {
    std::size_t count = 0;
    const std::size_t top = lines_.size() > height_ ? lines_.size() - height_ : 0;
    if (!absl::SimpleAtoi(number, &count) || count > row_ - std::min(row_, top)) broken_ = true;
    row_ -= std::min(row_, count);
  }

  const std::size_t width_;
  const std::size_t height_;
  std::vector<std::string> lines_;
  std::size_t row_ = 0;
  std::size_t column_ = 0;
  bool wraps_ = true;
  bool broken_ = false;
};

}  // namespace fairlead::cli
