#include "cli/render/run_progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "cli/render/run_text.h"

namespace fairlead::cli {
namespace {

// The stage under way; null when there is none.
const v1::RunStage* CurrentStage(const v1::Run& run) {
  for (const v1::RunStage& stage : run.stages()) {
    if (stage.state() == v1::RUN_STATE_RUNNING) return &stage;
  }
  return nullptr;
}

bool IsOver(const v1::RunExecution& execution) {
  return execution.state() != v1::RUN_STATE_WAITING && execution.state() != v1::RUN_STATE_RUNNING;
}

Mark MarkOf(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_RUNNING:
      return Mark::kBusy;
    case v1::RUN_STATE_SUCCEEDED:
      return Mark::kDone;
    case v1::RUN_STATE_FAILED:
    case v1::RUN_STATE_INTERRUPTED:
    case v1::RUN_STATE_CANCELLED:
      return Mark::kFailed;
    default:
      return Mark::kWaiting;
  }
}

std::string HeadOf(const v1::Run& run, const v1::RunStage& stage) {
  const auto index = static_cast<std::size_t>(
      std::find_if(run.stages().begin(), run.stages().end(),
                   [&](const v1::RunStage& one) { return &one == &stage; }) -
      run.stages().begin());
  const auto done = std::count_if(stage.executions().begin(), stage.executions().end(), IsOver);
  return absl::StrCat("  stage ", index + 1, "/", run.stages_size(),
                      stage.name().empty() ? "" : " ", Printable(stage.name()), ": ", done, " of ",
                      stage.executions_size(), " done");
}

}  // namespace

void RunProgress::OnRun(const v1::Run& run) {
  run_ = run;
  run_.clear_log();
  for (const v1::RunStage& stage : run_.stages()) {
    for (const v1::RunExecution& execution : stage.executions()) {
      auto& [message, number] = messages_[execution.request_id()];
      if (message != execution.message()) number = next_++;
      message = execution.message();
    }
  }
}

void RunProgress::OnProgress(const v1::ActionProgress& progress) {
  const News news{.text = TextOf(progress), .number = next_++};
  by_action_[progress.action_id()] = news;
  by_resource_[progress.resource()] = news;
}

ProgressRow RunProgress::RowOf(const v1::RunExecution& execution, absl::Time now) const {
  ProgressRow row{.mark = MarkOf(execution.state()),
                  .name = ExecutionTitle(execution),
                  .text = execution.message(),
                  .took = ""};
  if (execution.has_started_at()) {
    const absl::Time end =
        execution.has_finished_at() ? base::FromProto(execution.finished_at()) : now;
    row.took = FormatSpan(end - base::FromProto(execution.started_at()));
  }
  if (execution.state() != v1::RUN_STATE_RUNNING) return row;
  const bool has_action = !execution.action_id().empty();
  const auto& news = has_action ? by_action_ : by_resource_;
  const auto found = news.find(has_action ? execution.action_id() : execution.target());
  if (found == news.end()) return row;
  // The record of a job repeats its news, later; of others it tells what comes behind the action.
  const auto message = messages_.find(execution.request_id());
  const bool is_newer = message == messages_.end() || execution.message().empty() ||
                        found->second.number > message->second.second;
  if (!has_action && !is_newer) return row;
  row.text = found->second.text.text;
  row.parts = found->second.text.parts;
  return row;
}

std::vector<std::string> RunProgress::Lines(const TextOptions& options,
                                            const ScreenSize& size) const {
  if (run_.state() == v1::RUN_STATE_WAITING && !run_.id().empty()) {
    return RenderRows({{.mark = Mark::kWaiting,
                        .name = run_.resource(),
                        .text = run_.message().empty() ? "waits for its turn" : run_.message(),
                        .took = ""}},
                      options, size);
  }
  const v1::RunStage* const stage = CurrentStage(run_);
  if (run_.state() != v1::RUN_STATE_RUNNING || stage == nullptr) return {};
  std::vector<ProgressRow> rows;
  for (const v1::RunExecution& execution : stage->executions()) {
    rows.push_back(RowOf(execution, options.now));
  }
  // Of one thing its row says all.
  if (run_.stages_size() <= 1 && rows.size() <= 1) return RenderRows(rows, options, size);
  std::vector<std::string> lines = {Truncate(HeadOf(run_, *stage), size.width)};
  if (size.height <= 1) return lines;
  const std::vector<std::string> rest =
      RenderRows(std::move(rows), options, {.width = size.width, .height = size.height - 1});
  lines.insert(lines.end(), rest.begin(), rest.end());
  return lines;
}

}  // namespace fairlead::cli
