#include "cli/render/text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace fairlead::cli {
namespace {

const char* CodeOf(Color color) {
  switch (color) {
    case Color::kNone:
      return "";
    case Color::kRed:
      return "\x1b[31m";
    case Color::kGreen:
      return "\x1b[32m";
    case Color::kYellow:
      return "\x1b[33m";
    case Color::kDim:
      return "\x1b[2m";
    case Color::kBold:
      return "\x1b[1m";
  }
  return "";
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

}  // namespace

std::string Painter::Paint(Color color, absl::string_view text) const {
  if (!enabled_ || color == Color::kNone || text.empty()) return std::string(text);
  return absl::StrCat(CodeOf(color), text, "\x1b[0m");
}

std::string Printable(absl::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += ' ';
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&result, "\\x%02x",
                            static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      result += c;
    }
  }
  return result;
}

std::string PrintableLines(absl::string_view text, absl::string_view indent) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    lines.push_back(Printable(line));
  }
  return absl::StrJoin(lines, absl::StrCat("\n", indent));
}

std::size_t DisplayWidth(absl::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string Truncate(absl::string_view text, std::size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::size_t points = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    if (!IsContinuation(text[end]) && points++ == width - 1) break;
    ++end;
  }
  return absl::StrCat(text.substr(0, end), "~");
}

std::string ShortRevision(absl::string_view revision) {
  const bool commit = (revision.size() == 40 || revision.size() == 64) &&
                      std::all_of(revision.begin(), revision.end(), [](char c) {
                        return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                      });
  return Printable(commit ? revision.substr(0, 7) : revision);
}

std::string FormatSpan(absl::Duration span) {
  const double seconds = absl::ToDoubleSeconds(span);
  if (seconds < 0.0005) return "0 ms";
  if (seconds < 0.1) return absl::StrFormat("%.0f ms", seconds * 1000);
  if (seconds < 9.95) return absl::StrFormat("%.1f s", seconds);
  // Whole units below, never rounded up: 119 s is one minute that has passed, not two.
  if (span < absl::Minutes(2)) return absl::StrCat(absl::ToInt64Seconds(span), " s");
  if (span < absl::Hours(2)) return absl::StrCat(absl::ToInt64Minutes(span), " min");
  if (span < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(span), " h");
  return absl::StrCat(absl::ToInt64Hours(span) / 24, " d");
}

std::string FormatAge(absl::Time then, absl::Time now) {
  if (then <= absl::UnixEpoch()) return "never";
  // Clocks differ; a moment in the future is now.
  return absl::StrCat(FormatSpan(std::max(now - then, absl::ZeroDuration())), " ago");
}

std::string FormatMoment(absl::Time time, const TextOptions& options) {
  if (time <= absl::UnixEpoch()) return "never";
  const absl::CivilDay day(absl::ToCivilSecond(time, options.zone));
  const absl::CivilDay today(absl::ToCivilSecond(options.now, options.zone));
  if (day == today) return absl::FormatTime("%H:%M:%S", time, options.zone);
  if (day == today - 1) return absl::FormatTime("yesterday %H:%M", time, options.zone);
  return absl::FormatTime("%Y-%m-%d %H:%M", time, options.zone);
}

std::vector<std::string> Table::RenderRows(const Painter& painter) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
    }
  }
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    std::string line = indent_;
    for (std::size_t i = 0; i < last; ++i) {
      absl::StrAppend(&line, painter.Paint(row[i].color, row[i].text));
      if (i + 1 < last) line.append(widths[i] - DisplayWidth(row[i].text) + gap_, ' ');
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string Table::Render(const Painter& painter) const {
  std::string text;
  for (const std::string& line : RenderRows(painter)) absl::StrAppend(&text, line, "\n");
  return text;
}

std::string Count(uint64_t number, absl::string_view singular, absl::string_view plural) {
  return absl::StrCat(number, " ", number == 1 ? singular : plural);
}

}  // namespace fairlead::cli
