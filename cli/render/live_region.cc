#include "cli/render/live_region.h"

#include "absl/strings/str_cat.h"

namespace fairlead::cli {
namespace {

constexpr absl::string_view kEraseLine = "\x1b[2K";
constexpr absl::string_view kEraseBelow = "\x1b[J";
// A line that is too wide all the same (wide characters, a window made narrower) is cut, and does
// not take a second row.
constexpr absl::string_view kWrapOff = "\x1b[?7l";
constexpr absl::string_view kWrapOn = "\x1b[?7h";

}  // namespace

std::string LiveRegion::Draw(absl::string_view above, const std::vector<std::string>& lines) {
  if (above.empty() && lines == shown_) return "";
  std::string text;
  if (!shown_.empty()) absl::StrAppend(&text, "\x1b[", shown_.size(), "A\r");
  if (!above.empty()) absl::StrAppend(&text, shown_.empty() ? "" : kEraseBelow, above);
  if (!lines.empty()) {
    absl::StrAppend(&text, kWrapOff);
    for (const std::string& line : lines) absl::StrAppend(&text, kEraseLine, line, "\n");
    absl::StrAppend(&text, kWrapOn);
  }
  if (above.empty() && lines.size() < shown_.size()) absl::StrAppend(&text, kEraseBelow);
  shown_ = lines;
  return text;
}

}  // namespace fairlead::cli
