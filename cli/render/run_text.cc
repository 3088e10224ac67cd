#include "cli/render/run_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "base/proto_time.h"

namespace fairlead::cli {
namespace {

constexpr std::size_t kMessageWidth = 80;

std::string WordOf(v1::RunState state) {
  return absl::AsciiStrToLower(v1::RunState_Name(state).substr(10));
}

Color ColorOf(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_SUCCEEDED:
      return Color::kGreen;
    case v1::RUN_STATE_FAILED:
    case v1::RUN_STATE_INTERRUPTED:
      return Color::kRed;
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_CANCELLED:
      return Color::kYellow;
    default:
      return Color::kDim;
  }
}

// From its start until its end, or until now; empty before its start.
template <typename Record>
std::string Took(const Record& record, const TextOptions& options) {
  if (!record.has_started_at()) return "";
  const absl::Time end =
      record.has_finished_at() ? base::FromProto(record.finished_at()) : options.now;
  return FormatSpan(end - base::FromProto(record.started_at()));
}

const v1::RunExecution* FirstRunning(const v1::Run& run) {
  for (const v1::RunStage& stage : run.stages()) {
    for (const v1::RunExecution& execution : stage.executions()) {
      if (execution.state() == v1::RUN_STATE_RUNNING) return &execution;
    }
  }
  return nullptr;
}

// What there is to say of the run in a few words.
std::string Remark(const v1::Run& run) {
  if (run.state() != v1::RUN_STATE_RUNNING) return Printable(run.message());
  const v1::RunExecution* const running = FirstRunning(run);
  if (running == nullptr) return "";
  return absl::StrCat(ExecutionTitle(*running), running->message().empty() ? "" : ": ",
                      Printable(running->message()));
}

std::vector<Cell> RowOf(const v1::Run& run, const TextOptions& options) {
  return {{absl::StrCat("run/", Printable(run.id()))},
          {Printable(run.resource())},
          {WordOf(run.state()), ColorOf(run.state())},
          {FormatMoment(base::FromProto(run.created_at()), options)},
          {Took(run, options)},
          {Printable(run.who())},
          {Truncate(Remark(run), kMessageWidth)}};
}

void AddLine(const v1::Run::Line& line, bool with_time, const TextOptions& options,
             std::string& text) {
  if (with_time) {
    absl::StrAppend(
        &text, absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", base::FromProto(line.at()), options.zone),
        " ");
  }
  absl::StrAppend(
      &text,
      options.painter.Paint(line.warning() ? Color::kYellow : Color::kNone, Printable(line.text())),
      "\n");
}

void AddExecution(const v1::RunExecution& execution, const TextOptions& options, Table& table) {
  std::string remark = Printable(execution.message());
  if (execution.attempts() > 1) {
    remark = absl::StrCat("attempt ", execution.attempts(), remark.empty() ? "" : ": ", remark);
  }
  if (!execution.run_id().empty()) {
    remark =
        absl::StrCat("run/", Printable(execution.run_id()), remark.empty() ? "" : ": ", remark);
  }
  table.AddRow({{absl::StrCat("  ", ExecutionTitle(execution))},
                {WordOf(execution.state()), ColorOf(execution.state())},
                {Took(execution, options)},
                {remark}});
}

}  // namespace

std::string ExecutionTitle(const v1::RunExecution& execution) {
  return absl::StrCat(Printable(execution.type()), execution.target().empty() ? "" : " ",
                      Printable(execution.target()));
}

std::string RenderRuns(const v1::ListRunsResponse& list, const TextOptions& options) {
  if (list.runs().empty()) return "no runs\n";
  Table table;
  table.AddRow({{"RUN"}, {"OF"}, {"STATE"}, {"ASKED FOR"}, {"TOOK"}, {"BY"}, {""}});
  for (const v1::Run& run : list.runs()) table.AddRow(RowOf(run, options));
  return table.Render(options.painter);
}

std::string RenderRunLine(const v1::Run& run, const TextOptions& options) {
  std::string line = absl::StrCat(FormatMoment(options.now, options), "  run/", Printable(run.id()),
                                  "  ", Printable(run.resource()), "  ",
                                  options.painter.Paint(ColorOf(run.state()), WordOf(run.state())));
  const std::string remark = Remark(run);
  if (!remark.empty()) absl::StrAppend(&line, "  ", remark);
  return line;
}

std::string RenderRun(const v1::Run& run, const TextOptions& options) {
  std::string text = absl::StrCat(
      "run/", Printable(run.id()), " of ", Printable(run.resource()), "   ",
      options.painter.Paint(ColorOf(run.state()), WordOf(run.state())), " ", Took(run, options),
      "\n  by        ", Printable(run.who()), run.why().empty() ? "" : ": ", Printable(run.why()),
      ", ", FormatMoment(base::FromProto(run.created_at()), options), "\n");
  if (!run.parent().empty()) {
    absl::StrAppend(&text, "  part of   run/", Printable(run.parent()), "\n");
  }
  if (!run.message().empty()) {
    absl::StrAppend(&text, "  why       ", Printable(run.message()), "\n");
  }
  Table table("  ", 2);
  for (const v1::RunStage& stage : run.stages()) {
    table.AddRow({{absl::StrCat("stage ", Printable(stage.name()))},
                  {WordOf(stage.state()), ColorOf(stage.state())},
                  {Took(stage, options)},
                  {""}});
    for (const v1::RunExecution& execution : stage.executions()) {
      AddExecution(execution, options, table);
    }
  }
  return text + table.Render(options.painter);
}

uint64_t LinesOf(const v1::Run& run) {
  return run.lines_dropped() + static_cast<uint64_t>(run.log_size());
}

std::string RenderRunLog(const v1::Run& run, uint64_t from, bool with_time,
                         const TextOptions& options) {
  std::string text;
  for (uint64_t number = std::max<uint64_t>(from, run.lines_dropped()); number < LinesOf(run);
       ++number) {
    AddLine(run.log(static_cast<int>(number - run.lines_dropped())), with_time, options, text);
  }
  return text;
}

std::string RenderRunLines(const v1::RunLogResponse& response, bool with_time,
                           const TextOptions& options) {
  std::string text;
  if (response.dropped() > 0) {
    absl::StrAppend(
        &text,
        options.painter.Paint(
            Color::kDim, absl::StrCat("... ", response.dropped(), " lines are no longer kept ...")),
        "\n");
  }
  for (const v1::Run::Line& line : response.lines()) AddLine(line, with_time, options, text);
  return text;
}

std::string RenderSchedules(const v1::ListSchedulesResponse& list, const TextOptions& options) {
  if (list.schedules().empty()) return "no schedules\n";
  Table table;
  table.AddRow({{"OF"}, {"SCHEDULE"}, {"ZONE"}, {"LAST RUN"}, {"NEXT"}});
  for (const auto& schedule : list.schedules()) {
    std::string next;
    for (const auto& time : schedule.next()) {
      absl::StrAppend(&next, next.empty() ? "" : ", ",
                      absl::FormatTime("%Y-%m-%d %H:%M:%S", base::FromProto(time), options.zone));
    }
    if (!schedule.enabled()) next = "disabled";
    if (!schedule.problem().empty()) next = Printable(schedule.problem());
    table.AddRow(
        {{Printable(schedule.resource())},
         {Printable(schedule.schedule())},
         {schedule.timezone().empty() ? "controller's" : Printable(schedule.timezone())},
         {schedule.has_last_run() ? FormatMoment(base::FromProto(schedule.last_run()), options)
                                  : "never"},
         {next, schedule.problem().empty() ? Color::kNone : Color::kRed}});
  }
  return table.Render(options.painter);
}

}  // namespace fairlead::cli
