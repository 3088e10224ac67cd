// Text for people: colours, columns, times and sizes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::cli {

enum class Color { kNone, kRed, kGreen, kYellow, kDim, kBold };

// Wraps text in terminal colours, or leaves it when they are not wanted.
class Painter {
 public:
  explicit Painter(bool enabled = false) : enabled_(enabled) {}
  std::string Paint(Color color, absl::string_view text) const;

 private:
  bool enabled_;
};

// What every rendering depends on.
struct TextOptions {
  Painter painter;
  absl::Time now;
  absl::TimeZone zone = absl::UTCTimeZone();
};

// `text` on one line with control characters escaped, so that no text of a host or a file can
// steer the terminal.
std::string Printable(absl::string_view text);
// The same, keeping line breaks; lines after the first start with `indent`.
std::string PrintableLines(absl::string_view text, absl::string_view indent);

// Code points of UTF-8 text.
std::size_t DisplayWidth(absl::string_view text);
// Cut to `width` code points, the last one "~" when something was cut.
std::string Truncate(absl::string_view text, std::size_t width);

// First 7 characters of a commit id; other texts as they are.
std::string ShortRevision(absl::string_view revision);

// "3 ms", "0.9 s", "12 s", "4 min", "2 h", "3 d".
std::string FormatSpan(absl::Duration span);
// "12 s ago"; "never" for the epoch.
std::string FormatAge(absl::Time then, absl::Time now);
// "14:02:11" today, "yesterday 14:02", else "2026-11-18 14:02".
std::string FormatMoment(absl::Time time, const TextOptions& options);

// Of a terminal.
struct ScreenSize {
  std::size_t width = 100;
  std::size_t height = 24;
};

struct Cell {
  std::string text;
  Color color = Color::kNone;
};

// Rows in aligned columns, two or more spaces apart.
class Table {
 public:
  explicit Table(std::string indent = "", std::size_t gap = 3)
      : indent_(std::move(indent)), gap_(gap) {}
  void AddRow(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  // One line for each row, without trailing spaces.
  std::string Render(const Painter& painter) const;
  // The same, a line each, without line breaks.
  std::vector<std::string> RenderRows(const Painter& painter) const;

 private:
  std::string indent_;
  std::size_t gap_;
  std::vector<std::vector<Cell>> rows_;
};

// "1 file", "2 files".
std::string Count(uint64_t number, absl::string_view singular, absl::string_view plural);

}  // namespace fairlead::cli
