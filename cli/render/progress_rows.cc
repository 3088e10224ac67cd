#include "cli/render/progress_rows.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace fairlead::cli {
namespace {

// "  ok "
constexpr std::size_t kMarkWidth = 5;
constexpr std::size_t kGap = 2;
constexpr std::size_t kPartIndent = 7;
// Of the text, also beside a long name.
constexpr std::size_t kLeastRoom = 10;

std::string SizeText(uint64_t current, uint64_t total) {
  constexpr double kMegabyte = 1e6;
  return absl::StrFormat("%.1f / %.1f MB", static_cast<double>(current) / kMegabyte,
                         static_cast<double>(total) / kMegabyte);
}

std::string PaintMark(Mark mark, const Painter& painter) {
  switch (mark) {
    case Mark::kWaiting:
      return painter.Paint(Color::kDim, "--");
    case Mark::kBusy:
      return painter.Paint(Color::kYellow, "..");
    case Mark::kDone:
      return painter.Paint(Color::kGreen, "ok");
    case Mark::kFailed:
      return painter.Paint(Color::kRed, "!!");
  }
  return "";
}

std::string Padded(absl::string_view text, std::size_t width) {
  std::string padded = Truncate(text, width);
  padded.append(width - DisplayWidth(padded), ' ');
  return padded;
}

std::string RenderRow(const ProgressRow& row, std::size_t name_width, const TextOptions& options,
                      std::size_t width) {
  const std::size_t used = kMarkWidth + name_width + 2 * kGap + DisplayWidth(row.took);
  const std::size_t room = width > used + kLeastRoom ? width - used : kLeastRoom;
  const std::string gap(kGap, ' ');
  const std::string rest = absl::StrCat(Padded(Printable(row.name), name_width), gap,
                                        Padded(Printable(row.text), room), gap, row.took);
  return absl::StrCat("  ", PaintMark(row.mark, options.painter), " ",
                      Truncate(rest, width > kMarkWidth ? width - kMarkWidth : 0));
}

// Takes the last `count` rows with the mark, or fewer; how many it took.
std::size_t Drop(Mark mark, std::size_t count, std::vector<ProgressRow>& rows) {
  std::size_t dropped = 0;
  for (std::size_t i = rows.size(); i > 0 && dropped < count; --i) {
    if (rows[i - 1].mark != mark) continue;
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(i - 1));
    ++dropped;
  }
  return dropped;
}

// So many of the parts of a row that they take `room` lines.
std::vector<std::string> PartsWithin(std::vector<std::string> parts, std::size_t room) {
  if (parts.size() <= room) return parts;
  if (room == 0) return {};
  const std::size_t left_out = parts.size() - (room - 1);
  parts.resize(room - 1);
  parts.push_back(absl::StrCat("and ", left_out, " more"));
  return parts;
}

}  // namespace

std::vector<std::string> RenderRows(std::vector<ProgressRow> rows, const TextOptions& options,
                                    const ScreenSize& size) {
  const std::size_t height = std::max<std::size_t>(size.height, 1);
  std::size_t dropped = 0;
  if (rows.size() > height) {
    for (const Mark mark : {Mark::kDone, Mark::kWaiting, Mark::kBusy, Mark::kFailed}) {
      // One line counts them.
      dropped += Drop(mark, rows.size() + 1 > height ? rows.size() + 1 - height : 0, rows);
    }
  }
  std::size_t name_width = 0;
  std::size_t with_parts = 0;
  for (const ProgressRow& row : rows) {
    name_width = std::max(name_width, DisplayWidth(Printable(row.name)));
    if (!row.parts.empty()) ++with_parts;
  }
  name_width = std::min(name_width, size.width / 2);
  std::size_t spare = height - rows.size() - (dropped > 0 ? 1 : 0);
  std::vector<std::string> lines;
  for (const ProgressRow& row : rows) {
    lines.push_back(RenderRow(row, name_width, options, size.width));
    if (row.parts.empty()) continue;
    const std::vector<std::string> parts = PartsWithin(row.parts, spare / with_parts--);
    spare -= parts.size();
    for (const std::string& part : parts) {
      lines.push_back(
          Truncate(absl::StrCat(std::string(kPartIndent, ' '), Printable(part)), size.width));
    }
  }
  if (dropped > 0) {
    lines.push_back(Truncate(absl::StrCat("  and ", dropped, " more"), size.width));
  }
  return lines;
}

ProgressText TextOf(const v1::ActionProgress& progress) {
  ProgressText result;
  std::vector<std::string> lines = absl::StrSplit(progress.detail(), '\n');
  result.text = absl::StrCat(progress.phase(), lines.front().empty() ? "" : " ", lines.front());
  result.parts.assign(std::make_move_iterator(lines.begin() + 1),
                      std::make_move_iterator(lines.end()));
  if (progress.total() > 0) {
    absl::StrAppend(&result.text, "  ", SizeText(progress.current(), progress.total()));
  }
  return result;
}

}  // namespace fairlead::cli
