#include "agent/transfer_progress.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kReportInterval = absl::Milliseconds(200);
constexpr std::size_t kMostLines = 8;
// Of the ids that docker prints.
constexpr std::size_t kIdLength = 12;

struct Word {
  absl::string_view begin;
  // 0: waits, 1: under way, 2: done.
  int state;
  // What people read; empty while bytes come or go.
  absl::string_view text;
};

// By the first one that the status begins with, without regard to case.
constexpr std::array<Word, 15> kWords = {{
    {"pulling fs layer", 0, ""},
    {"waiting", 0, ""},
    {"preparing", 0, ""},
    {"downloading", 1, ""},
    {"pushing", 1, ""},
    {"verifying", 1, "verifying"},
    {"download complete", 1, "downloaded"},
    {"extracting", 1, "extracting"},
    {"pull complete", 2, ""},
    {"already exists", 2, ""},
    {"pushed", 2, ""},
    {"layer already exists", 2, ""},
    {"mounted from", 2, ""},
    {"done", 2, ""},
    {"pulling", 1, "pulling"},
}};

bool IsLayerId(absl::string_view text) {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

// "12.3MB", "498kB", "1.2GiB", in bytes; 0 when it is no size.
uint64_t BytesOf(absl::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  double number = 0;
  if (end == absl::string_view::npos || !absl::SimpleAtod(text.substr(0, end), &number)) return 0;
  const absl::string_view unit = text.substr(end);
  double scale = 0;
  if (unit == "B") scale = 1;
  if (unit == "kB" || unit == "KB") scale = 1e3;
  if (unit == "MB") scale = 1e6;
  if (unit == "GB") scale = 1e9;
  if (unit == "KiB") scale = 1024.0;
  if (unit == "MiB") scale = 1024.0 * 1024;
  if (unit == "GiB") scale = 1024.0 * 1024 * 1024;
  return static_cast<uint64_t>(std::llround(number * scale));
}

// "12.3 of 40.0 MB"; in smaller units what is less.
std::string SizeText(uint64_t current, uint64_t total) {
  if (std::max(current, total) < 1000) {
    return total == 0 ? absl::StrCat(current, " B") : absl::StrCat(current, " of ", total, " B");
  }
  const bool small = std::max(current, total) < 1'000'000;
  const double scale = small ? 1e3 : 1e6;
  const char* const unit = small ? "kB" : "MB";
  const double now = static_cast<double>(current) / scale;
  if (total == 0) return absl::StrFormat("%.1f %s", now, unit);
  return absl::StrFormat("%.1f of %.1f %s", now, static_cast<double>(total) / scale, unit);
}

// Of version 1: "Pulling web ... downloading (12.5%)".
std::optional<TransferNews> ParseOldLine(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "Pulling ")) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(" ... ", 1));
  const absl::string_view name = absl::StripAsciiWhitespace(parts.first);
  if (name.empty() || absl::StrContains(name, ' ') || parts.second.empty()) return std::nullopt;
  const absl::string_view status = absl::StripAsciiWhitespace(parts.second);
  // What else it says is of one of many layers, without its id.
  const bool is_whole = status == "done" || absl::StrContains(status, " (");
  return TransferNews{.part = std::string(name),
                      .status = is_whole ? std::string(status) : "pulling"};
}

}  // namespace

std::optional<TransferNews> ParseComposeLine(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (absl::StartsWith(line, "Pulling ")) return ParseOldLine(line);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  const absl::string_view rest = absl::StripAsciiWhitespace(parts.second);
  // Lines of services say less than those of their layers.
  if (!IsLayerId(parts.first)) return std::nullopt;
  TransferNews news{.part = std::string(parts.first), .status = std::string(rest)};
  // "[====>   ]  12.3MB/40MB"
  const std::size_t bar = rest.find('[');
  const std::size_t size = rest.rfind(' ');
  if (bar != absl::string_view::npos && size != absl::string_view::npos && size > bar) {
    const std::pair<absl::string_view, absl::string_view> bytes =
        absl::StrSplit(rest.substr(size + 1), absl::MaxSplits('/', 1));
    news.current = BytesOf(bytes.first);
    news.total = BytesOf(bytes.second);
    news.status = std::string(absl::StripAsciiWhitespace(rest.substr(0, bar)));
  }
  return news;
}

bool TransferProgress::Add(const TransferNews& news) {
  const std::string status = absl::AsciiStrToLower(news.status);
  const auto* const word = std::find_if(kWords.begin(), kWords.end(), [&](const Word& one) {
    return absl::StartsWith(status, one.begin);
  });
  // The stream also has lines of the whole image, under its tag.
  if (word == kWords.end() || news.part.empty()) return false;
  const auto state = static_cast<State>(word->state);
  const auto [found, is_new] = parts_.try_emplace(news.part);
  if (is_new) order_.push_back(news.part);
  Part& part = found->second;
  const bool changed = is_new || part.word != word->begin;
  part.word = word->begin;
  part.state = state;
  part.text = std::string(word->text);
  // Version 1 of compose tells percents instead of bytes.
  if (const std::size_t percent = status.find(" ("); percent != std::string::npos) {
    part.text = status;
  }
  const bool moves = state == State::kBusy && word->text.empty();
  if (moves) {
    part.current = news.current;
    part.total = news.total;
  } else if (state != State::kWaiting && part.total > 0) {
    part.current = part.total;
  }
  return changed;
}

uint64_t TransferProgress::current() const {
  uint64_t sum = 0;
  for (const auto& [name, part] : parts_) sum += part.total > 0 ? part.current : 0;
  return sum;
}

uint64_t TransferProgress::total() const {
  uint64_t sum = 0;
  // What comes may be more than was announced.
  for (const auto& [name, part] : parts_) {
    sum += part.total > 0 ? std::max(part.current, part.total) : 0;
  }
  return sum;
}

std::string TransferProgress::Detail(absl::string_view title) const {
  std::size_t done = 0;
  std::vector<std::string> lines;
  for (const std::string& name : order_) {
    const Part& part = parts_.at(name);
    if (part.state == State::kDone) ++done;
    if (part.state != State::kBusy) continue;
    const bool has_size = part.text.empty() && (part.current > 0 || part.total > 0);
    if (!has_size && part.text.empty()) continue;
    lines.push_back(
        absl::StrCat(name, ": ", has_size ? SizeText(part.current, part.total) : part.text));
  }
  std::string text(title.data(), title.size());
  if (order_.size() > 1) absl::StrAppend(&text, ", ", done, " of ", order_.size(), " done");
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) {
    absl::StrAppend(&text, "\n", lines[i]);
  }
  if (lines.size() > kMostLines) {
    absl::StrAppend(&text, "\nand ", lines.size() - kMostLines, " more");
  }
  return text;
}

TransferReport::TransferReport(const ActionScope& scope, absl::string_view phase, std::string title)
    : scope_(scope), phase_(phase.data(), phase.size()), title_(std::move(title)) {
  scope_.Report(phase_, title_);
}

void TransferReport::Add(const TransferNews& news) {
  const bool changed = progress_.Add(news);
  const absl::Time now = scope_.clock.Now();
  // The clock may be set back meanwhile.
  const bool due = now - reported_ >= kReportInterval || now < reported_;
  if (progress_.empty() || (!changed && !due)) return;
  reported_ = now;
  scope_.Report(phase_, progress_.Detail(title_), progress_.current(), progress_.total());
}

}  // namespace fairlead::agent
