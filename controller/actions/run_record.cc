#include "controller/actions/run_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::actions {
namespace {

// Of the log of a run, with the output of what it runs.
constexpr int kLinesKept = 2000;
constexpr std::size_t kBytesKept = 256u << 10;
constexpr std::size_t kLongestLine = 1000;
// Of a stage that says nothing itself.
constexpr absl::Duration kStageTimeout = absl::Hours(1);
constexpr uint32_t kMostAtOnce = 10;

v1::RunExecution MakeExecution(const v1::Execution& execution) {
  const ExecutionTerms terms = ComputeTerms(execution);
  v1::RunExecution record;
  record.set_type(terms.type);
  if (!terms.target.kind.empty()) record.set_target(terms.target.ToString());
  record.set_state(v1::RUN_STATE_WAITING);
  // Parameters of what is not carried out are not needed, and may be secret.
  if (terms.verb != Verb::kNotActedOn) {
    *record.mutable_execution() = execution;
  } else {
    record.set_message(terms.refusal);
  }
  return record;
}

void Skip(absl::string_view why, v1::RunExecution& execution) {
  execution.set_state(v1::RUN_STATE_SKIPPED);
  execution.set_message(std::string(why));
}

v1::RunStage MakeStage(const v1::Stage& declared) {
  v1::RunStage stage;
  stage.set_name(declared.name());
  stage.set_state(declared.enabled() ? v1::RUN_STATE_WAITING : v1::RUN_STATE_SKIPPED);
  stage.set_continue_on_error(declared.continue_on_error());
  stage.set_retries(declared.retries());
  stage.set_max_parallel(declared.max_parallel() == 0 ? kMostAtOnce : declared.max_parallel());
  *stage.mutable_timeout() =
      declared.has_timeout() ? declared.timeout() : base::ToProto(kStageTimeout);
  for (const v1::StageExecution& execution : declared.executions()) {
    *stage.add_executions() = MakeExecution(execution.execution());
    v1::RunExecution& added = *stage.mutable_executions()->rbegin();
    if (!declared.enabled() || !execution.enabled()) Skip("disabled", added);
  }
  return stage;
}

}  // namespace

v1::Run MakeRun(const resources::ResourceId& id, const v1::Resource& spec,
                const v1::Execution& given) {
  v1::Run run;
  run.set_resource(id.ToString());
  run.set_state(v1::RUN_STATE_WAITING);
  if (spec.has_procedure()) {
    for (const v1::Stage& stage : spec.procedure().stages()) *run.add_stages() = MakeStage(stage);
    run.set_failure_alert(spec.procedure().failure_alert());
    return run;
  }
  v1::Stage stage;
  stage.set_enabled(true);
  v1::StageExecution& execution = *stage.add_executions();
  execution.set_enabled(true);
  if (spec.has_build()) {
    stage.set_name("build");
    execution.mutable_execution()->mutable_run_build()->set_build(id.name);
  } else if (spec.has_repo()) {
    stage.set_name("repo");
    execution.mutable_execution()->mutable_pull_repo()->set_repo(id.name);
  } else {
    stage.set_name("sync");
    execution.mutable_execution()->mutable_run_sync()->set_sync(id.name);
  }
  if (given.type_case() != v1::Execution::TYPE_NOT_SET) *execution.mutable_execution() = given;
  *run.add_stages() = MakeStage(stage);
  return run;
}

void ExpandStage(const sync::DesiredState& desired, absl::Time now, v1::Run& run,
                 v1::RunStage& stage) {
  google::protobuf::RepeatedPtrField<v1::RunExecution> executions;
  for (v1::RunExecution& execution : *stage.mutable_executions()) {
    const bool batch = execution.has_execution() && ComputeTerms(execution.execution()).batch;
    if (!batch || execution.state() != v1::RUN_STATE_WAITING) {
      *executions.Add() = std::move(execution);
      continue;
    }
    const std::string of = DescribeExecution(execution.execution());
    const bool by_pattern = !execution.execution().has_global_auto_update();
    const std::vector<v1::Execution> singles = ExpandBatch(execution.execution(), desired);
    for (const v1::Execution& single : singles) {
      *executions.Add() = MakeExecution(single);
      executions.rbegin()->set_of(of);
    }
    if (!singles.empty()) continue;
    const absl::string_view why = by_pattern ? "the pattern means no resource that is declared"
                                             : "nothing that is declared has auto_update";
    Skip(by_pattern ? "its pattern means no resource" : why, execution);
    Say(run, now, absl::StrCat("warning: ", of, ": ", why), true);
    *executions.Add() = std::move(execution);
  }
  *stage.mutable_executions() = std::move(executions);
}

bool HasEnded(v1::RunState state) {
  return state != v1::RUN_STATE_WAITING && state != v1::RUN_STATE_RUNNING;
}

absl::Time EndOfSleep(const v1::RunExecution& execution) {
  if (!execution.execution().has_sleep()) return absl::InfiniteFuture();
  return base::FromProto(execution.started_at()) +
         absl::Milliseconds(execution.execution().sleep().duration_ms());
}

std::string NameOfRun(const v1::Run& run) { return absl::StrCat("run/", run.id()); }

std::string Title(const v1::RunExecution& execution) {
  if (execution.target().empty()) return execution.type();
  return absl::StrCat(execution.type(), " ", execution.target());
}

void Say(v1::Run& run, absl::Time now, absl::string_view text, bool warning) {
  std::size_t bytes = std::min(text.size(), kLongestLine);
  for (const v1::Run::Line& known : run.log()) bytes += known.text().size();
  int dropped = 0;
  while (dropped < run.log_size() &&
         (run.log_size() - dropped >= kLinesKept || bytes > kBytesKept)) {
    bytes -= run.log(dropped++).text().size();
  }
  run.mutable_log()->DeleteSubrange(0, dropped);
  run.set_lines_dropped(run.lines_dropped() + static_cast<uint32_t>(dropped));
  v1::Run::Line& line = *run.add_log();
  *line.mutable_at() = base::ToProto(now);
  line.set_text(std::string(text.substr(0, kLongestLine)));
  line.set_warning(warning);
}

}  // namespace fairlead::actions
