#include "cli/render/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/proto_time.h"
#include "cli/render/names.h"

namespace fairlead::cli {
namespace {

bool IsSuccess(const std::string& type) {
  return type == "step-succeeded" || type == "pruned" || type == "forgotten" ||
         type == "drift-healed" || type == "converged";
}

bool IsFailure(const std::string& type) {
  return type == "step-failed" || type == "spec-failed" || type == "rolled-back" ||
         type == "interrupted";
}

bool IsUnderWay(v1::Condition condition) {
  return condition == v1::CONDITION_PROGRESSING || condition == v1::CONDITION_BLOCKED ||
         condition == v1::CONDITION_MISSING || condition == v1::CONDITION_UNKNOWN;
}

std::string SizeText(uint64_t current, uint64_t total) {
  constexpr double kMegabyte = 1e6;
  return absl::StrFormat("%.1f / %.1f MB", static_cast<double>(current) / kMegabyte,
                         static_cast<double>(total) / kMegabyte);
}

}  // namespace

Progress::Line& Progress::LineOf(const std::string& subject, absl::Time at) {
  const auto [it, is_new] = lines_.try_emplace(subject);
  if (is_new) {
    order_.push_back(subject);
    it->second.started = at;
  }
  return it->second;
}

void Progress::OnEvent(const v1::Event& event) {
  if (event.resource().empty()) return;
  const absl::Time at = base::FromProto(event.at());
  const bool starts = event.type() == "step-started";
  if (!starts && !IsSuccess(event.type()) && !IsFailure(event.type())) return;
  Line& line = LineOf(event.resource(), at);
  if (starts && line.mark != Mark::kBusy) line.started = at;
  line.mark = starts ? Mark::kBusy : IsSuccess(event.type()) ? Mark::kDone : Mark::kFailed;
  line.ended = at;
  line.text = event.message().empty() ? event.type() : event.message();
}

void Progress::OnProgress(const v1::ActionProgress& progress, absl::Time now) {
  Line& line = LineOf(progress.resource().empty() ? absl::StrCat("action ", progress.action_id())
                                                  : progress.resource(),
                      now);
  // News may arrive after the end they speak of.
  if (line.mark != Mark::kBusy) return;
  line.text = progress.phase();
  if (!progress.detail().empty()) absl::StrAppend(&line.text, " ", progress.detail());
  if (progress.total() > 0) {
    absl::StrAppend(&line.text, "  ", SizeText(progress.current(), progress.total()));
  }
}

void Progress::OnStatus(const v1::GetStatusResponse& status, absl::Time now) {
  std::map<std::string, const v1::ResourceStatus*> not_ok;
  for (const v1::ResourceStatus& resource : status.not_ok()) {
    not_ok[resource.resource()] = &resource;
    // What was not well before and has not been touched is not part of this progress.
    if (resource.condition() == v1::CONDITION_PROGRESSING) LineOf(resource.resource(), now);
  }
  for (auto& [subject, line] : lines_) {
    const auto found = not_ok.find(subject);
    Mark mark = Mark::kDone;
    if (found != not_ok.end()) {
      mark = IsUnderWay(found->second->condition()) ? Mark::kBusy : Mark::kFailed;
      if (!found->second->reason().empty()) line.text = found->second->reason();
    }
    if (mark == Mark::kDone && line.mark != Mark::kDone) line.text = "converged";
    if (mark != line.mark) line.ended = now;
    line.mark = mark;
  }
}

std::vector<std::string> Progress::Lines(const TextOptions& options, std::size_t width) const {
  struct Row {
    Mark mark;
    std::string name;
    std::string text;
    std::string took;
  };
  std::vector<Row> rows;
  for (const std::string& subject : order_) {
    const Line& line = lines_.at(subject);
    const absl::Time end = line.mark == Mark::kBusy ? options.now : line.ended;
    rows.push_back({line.mark, Printable(subject), line.text, FormatSpan(end - line.started)});
  }
  std::size_t widest = 0;
  for (const Row& row : rows) widest = std::max(widest, DisplayWidth(row.name));
  std::vector<std::string> result;
  for (const Row& row : rows) {
    const std::size_t used = 2 + 3 + widest + 2 + 2 + DisplayWidth(row.took);
    const std::size_t room = width > used + 10 ? width - used : 10;
    std::string text = Truncate(Printable(row.text), room);
    text.append(room - DisplayWidth(text), ' ');
    const bool busy = row.mark == Mark::kBusy;
    const bool done = row.mark == Mark::kDone;
    result.push_back(absl::StrCat("  ",
                                  options.painter.Paint(busy   ? Color::kYellow
                                                        : done ? Color::kGreen
                                                               : Color::kRed,
                                                        busy   ? ".."
                                                        : done ? "ok"
                                                               : "!!"),
                                  " ", row.name,
                                  std::string(widest - DisplayWidth(row.name) + 2, ' '), text, "  ",
                                  row.took));
  }
  return result;
}

std::string Redraw(std::size_t previous, const std::vector<std::string>& lines) {
  std::string text = previous == 0 ? "" : absl::StrCat("\x1b[", previous, "A");
  for (const std::string& line : lines) absl::StrAppend(&text, "\r\x1b[2K", line, "\n");
  return text;
}

}  // namespace fairlead::cli
