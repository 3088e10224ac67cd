#include "cli/render/progress.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"

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
  const bool succeeds = IsSuccess(event.type());
  if (!starts && !succeeds && !IsFailure(event.type())) return;
  // An end that is told already.
  if (succeeds && finished_.contains(event.resource())) return;
  finished_.erase(event.resource());
  Line& line = LineOf(event.resource(), at);
  if (starts && line.mark != Mark::kBusy) line.started = at;
  line.mark = starts ? Mark::kBusy : succeeds ? Mark::kDone : Mark::kFailed;
  line.ended = at;
  line.settled = false;
  line.text = event.message().empty() ? event.type() : event.message();
  line.parts.clear();
}

void Progress::OnProgress(const v1::ActionProgress& progress, absl::Time now) {
  const std::string subject = progress.resource().empty()
                                  ? absl::StrCat("action ", progress.action_id())
                                  : progress.resource();
  // News may arrive after the end they speak of.
  if (finished_.contains(subject)) return;
  Line& line = LineOf(subject, now);
  if (line.mark != Mark::kBusy) return;
  ProgressText news = TextOf(progress);
  line.text = std::move(news.text);
  line.parts = std::move(news.parts);
}

void Progress::OnStatus(const v1::GetStatusResponse& status, absl::Time now) {
  std::map<std::string, const v1::ResourceStatus*> not_ok;
  for (const v1::ResourceStatus& resource : status.not_ok()) {
    not_ok[resource.resource()] = &resource;
    // What was not well before and has not been touched is not part of this progress.
    if (resource.condition() == v1::CONDITION_PROGRESSING) {
      LineOf(resource.resource(), now);
      finished_.erase(resource.resource());
    }
  }
  for (auto& [subject, line] : lines_) {
    const auto found = not_ok.find(subject);
    Mark mark = Mark::kDone;
    if (found != not_ok.end()) {
      mark = IsUnderWay(found->second->condition()) ? Mark::kBusy : Mark::kFailed;
      // What an action tells of its parts is newer than the reason that it is under way.
      const bool tells = mark == Mark::kBusy && !line.parts.empty();
      if (!tells && !found->second->reason().empty()) line.text = found->second->reason();
    }
    if (mark == Mark::kDone && line.mark != Mark::kDone) line.text = "converged";
    if (mark != line.mark) line.ended = now;
    if (mark != Mark::kBusy) line.parts.clear();
    line.mark = mark;
    line.settled = mark == Mark::kDone;
  }
}

ProgressRow Progress::RowOf(const std::string& subject, absl::Time now) const {
  const Line& line = lines_.at(subject);
  const absl::Time end = line.mark == Mark::kBusy ? now : line.ended;
  return {.mark = line.mark,
          .name = subject,
          .text = line.text,
          .took = FormatSpan(end - line.started),
          .parts = line.parts};
}

std::vector<std::string> Progress::Lines(const TextOptions& options, const ScreenSize& size) const {
  std::vector<ProgressRow> rows;
  for (const std::string& subject : order_) rows.push_back(RowOf(subject, options.now));
  return RenderRows(std::move(rows), options, size);
}

std::vector<std::string> Progress::TakeFinished(const TextOptions& options,
                                                const ScreenSize& size) {
  std::vector<ProgressRow> rows;
  std::vector<std::string> rest;
  for (const std::string& subject : order_) {
    if (!lines_.at(subject).settled) {
      rest.push_back(subject);
      continue;
    }
    rows.push_back(RowOf(subject, options.now));
    lines_.erase(subject);
    finished_.insert(subject);
  }
  order_ = std::move(rest);
  // They stay, and may be more than the screen has lines.
  const ScreenSize all{.width = size.width, .height = rows.size()};
  return RenderRows(std::move(rows), options, all);
}

}  // namespace fairlead::cli
