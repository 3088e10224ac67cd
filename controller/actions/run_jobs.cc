// What runs ask of hosts, and what is kept of it.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "controller/actions/build_terms.h"
#include "controller/actions/job_terms.h"
#include "controller/actions/run_engine.h"
#include "controller/actions/run_record.h"
#include "controller/actions/verdict.h"
#include "sync/made.h"

namespace fairlead::actions {
namespace {

using Kind = loop::OperatorRequest::Kind;

// Of a job in a stage without a timeout.
constexpr absl::Duration kLongestJob = absl::Hours(24);
// What nothing can be done about now is looked at again so soon.
constexpr absl::Duration kLookAgain = absl::Seconds(2);
// Of the log, kept with a failure.
constexpr int kTailLines = 20;

bool ChangesHold(Verb verb) {
  return verb == Verb::kPause || verb == Verb::kUnpause || verb == Verb::kDestroy;
}

std::string LastLines(const v1::Run& run) {
  std::string tail;
  for (int i = std::max(0, run.log_size() - kTailLines); i < run.log_size(); ++i) {
    absl::StrAppend(&tail, run.log(i).text(), "\n");
  }
  return tail;
}

}  // namespace

std::map<std::string, uint32_t> RunEngine::JobLoad() const {
  std::map<std::string, uint32_t> load;
  for (const auto& active : runs_) {
    for (const v1::RunStage& stage : active->run.stages()) {
      for (const v1::RunExecution& execution : stage.executions()) {
        if (execution.state() == v1::RUN_STATE_RUNNING && !execution.server().empty()) {
          ++load[execution.server()];
        }
      }
    }
  }
  return load;
}

bool RunEngine::ResumeJob(const Place& place, bool once, absl::Time now) {
  v1::RunExecution& execution = *place.execution;
  // Never dispatched: it is as if it had not been asked for.
  if (execution.action_id().empty()) return true;
  const bool known = known_actions_.contains(execution.action_id());
  if (!execution.acted() && !known && !once) {
    execution.clear_action_id();
    return true;
  }
  asked_.insert(execution.request_id());
  if (!execution.acted() && !known) {
    Conclude(place, v1::RUN_STATE_INTERRUPTED,
             "cut by a crash; whether it was carried out is not known, and it is not repeated",
             now);
  }
  return false;
}

void RunEngine::AskJob(const Place& place, const ExecutionTerms& terms, const loop::LoopView& view,
                       absl::Time now) {
  v1::RunExecution& execution = *place.execution;
  // What is under way, or has ended, needs nothing of the declaration.
  const bool is_known = execution.acted() || known_actions_.contains(execution.action_id());
  if (!execution.action_id().empty() && is_known) {
    ResumeJob(place, false, now);
    return;
  }
  const auto fail = [&](const std::string& why) {
    asked_.insert(execution.request_id());
    Conclude(place, v1::RUN_STATE_FAILED, why, now);
  };
  Verdict verdict = JudgeDeclared(view, terms.target);
  if (verdict.state != Verdict::State::kFailed && ChangesHold(terms.verb) &&
      verdict.message.empty()) {
    verdict = JudgeBeforehand(view, terms.target);
  }
  if (verdict.state == Verdict::State::kFailed) return fail(verdict.message);
  SetMessage(place, verdict.message);
  // The sources are still read: asked again at the next pass.
  if (!verdict.message.empty()) return;
  absl::StatusOr<loop::HostJob> job =
      ComputeJob(execution.execution(),
                 {.view = view, .builds = &builds_, .accounts = accounts_, .load = JobLoad()});
  if (absl::IsUnavailable(job.status())) {
    SetMessage(place, std::string(job.status().message()));
    later_[execution.request_id()] = now + kLookAgain;
    wake_at_ = std::min(wake_at_, now + kLookAgain);
    return;
  }
  if (!job.ok()) return fail(std::string(job.status().message()));
  const bool once = job->action.guarantee() == v1::ACTION_GUARANTEE_ONCE;
  if (!ResumeJob(place, once, now)) return;
  asked_.insert(execution.request_id());
  execution.set_server(job->server);
  place.active->changed = true;
  const v1::RunStage& stage = *place.stage;
  const absl::Duration left =
      stage.has_deadline() ? base::FromProto(stage.deadline()) - now : kLongestJob;
  *job->action.mutable_deadline() = base::ToProto(left);
  job->request_id = execution.request_id();
  job->who = place.active->run.resource();
  job->why = absl::StrCat(Title(execution), " for ", NameOfRun(place.active->run));
  Say(place.active->run, now, absl::StrCat(Title(execution), ": on ", job->server));
  // The hold comes first: the plan stops what is destroyed, and leaves alone what is paused.
  if (ChangesHold(terms.verb)) {
    const Kind kind = terms.verb == Verb::kPause     ? Kind::kPause
                      : terms.verb == Verb::kUnpause ? Kind::kUnpause
                                                     : Kind::kStop;
    commands_.requests.push_back(RequestOf(place, kind));
  }
  commands_.jobs.push_back(*std::move(job));
}

void RunEngine::AskWhenDue(const Place& place, const loop::LoopView& view, absl::Time now) {
  const auto later = later_.find(place.execution->request_id());
  if (later != later_.end() && later->second > now) {
    wake_at_ = std::min(wake_at_, later->second);
    return;
  }
  if (later != later_.end()) later_.erase(later);
  Ask(place, view, now);
}

void RunEngine::OnActionLog(const v1::ActionLog& log, absl::Time now) {
  for (const auto& active : runs_) {
    for (const v1::RunStage& stage : active->run.stages()) {
      for (const v1::RunExecution& execution : stage.executions()) {
        if (execution.action_id() != log.action_id()) continue;
        if (log.dropped() > 0) {
          Say(active->run, now, absl::StrCat("... ", log.dropped(), " lines are left out ..."));
        }
        for (const std::string& line : log.lines()) Say(active->run, now, line);
        active->has_output = true;
        return;
      }
    }
  }
}

void RunEngine::OnProgress(const v1::ActionProgress& progress) {
  if (progress.action_id().empty()) return;
  const std::string detail = progress.detail().substr(0, progress.detail().find('\n'));
  for (const auto& active : runs_) {
    for (v1::RunStage& stage : *active->run.mutable_stages()) {
      for (v1::RunExecution& execution : *stage.mutable_executions()) {
        const bool is_its = execution.action_id() == progress.action_id() &&
                            execution.state() == v1::RUN_STATE_RUNNING && !execution.acted();
        // Of the others the verdict speaks.
        if (!is_its || !IsJob(ComputeTerms(execution.execution()), active->run.resource())) {
          continue;
        }
        execution.set_message(absl::StrCat(progress.phase(), detail.empty() ? "" : " ", detail));
        active->has_output = true;
        return;
      }
    }
  }
}

void RunEngine::NoteDone(const Place& place, const loop::RequestReport& report, absl::Time now) {
  v1::Run& run = place.active->run;
  const v1::Execution& execution = place.execution->execution();
  const std::string& target = place.execution->target();
  for (const std::string& warning : report.outcome.warnings()) {
    Say(run, now, absl::StrCat("warning: ", warning), true);
  }
  if (!report.outcome.report().empty()) Say(run, now, report.outcome.report());
  if (execution.has_run_build()) {
    const auto known = builds_.find(target);
    const v1::BuildRecord record =
        BuildRecordOf(report, known == builds_.end() ? nullptr : &known->second, run.id(), now);
    Say(run, now,
        absl::StrCat(report.outcome.build().unchanged() ? "nothing has changed: " : "made ",
                     sync::DescribeBuild(record), ", image ", record.image()));
    made_.put_builds.push_back(record);
    builds_[target] = record;
  } else if (execution.has_clone_repo() || execution.has_pull_repo()) {
    const v1::RepoRecord record = RepoRecordOf(report, target, now);
    Say(run, now,
        absl::StrCat("at ", record.commit().substr(0, 7), " \"", record.subject(), "\" in ",
                     record.directory(), " on ", record.server()));
    made_.put_repos.push_back(record);
  }
}

void RunEngine::NoteDependents(v1::Run& run, const loop::LoopView& view) {
  const auto id = resources::ResourceId::Parse(run.resource());
  const sync::DesiredState& desired = *view.input.desired;
  if (!id.has_value() || id->kind != "procedure" || desired.dependents == nullptr) return;
  const auto dependents = desired.dependents->find(*id);
  if (dependents == desired.dependents->end()) return;
  for (const resources::ResourceId& dependent : dependents->second) {
    const auto wanted = desired.resources.find(dependent);
    if (wanted == desired.resources.end() || wanted->second->spec_hash.empty()) continue;
    (*run.mutable_dependent_hash())[dependent.ToString()] = wanted->second->spec_hash;
  }
}

void RunEngine::NoteEnd(const v1::Run& run, absl::Time now) {
  const bool well = run.state() == v1::RUN_STATE_SUCCEEDED;
  const bool procedure = run.resource().starts_with("procedure/");
  const bool unsent = unsent_.erase(run.id()) != 0;
  if (run.resource().starts_with("resource_sync/") || (unsent && !procedure)) return;
  if (well) {
    made_.delete_failed_specs.emplace_back(run.resource(), "");
    if (!procedure) return;
    v1::ProcedureRecord record;
    record.set_resource(run.resource());
    record.set_spec_hash(run.spec_hash());
    *record.mutable_at() = base::ToProto(now);
    *record.mutable_dependent_hash() = run.dependent_hash();
    made_.put_procedures.push_back(std::move(record));
    return;
  }
  v1::FailedSpec failed;
  failed.set_resource(run.resource());
  failed.set_reason(absl::StrCat(NameOfRun(run), ": ", run.message()));
  failed.set_log_tail(LastLines(run));
  failed.set_revision(run.head());
  *failed.mutable_at() = base::ToProto(now);
  if (!procedure) {
    failed.set_spec_hash(run.spec_hash());
    made_.put_failed_specs.push_back(std::move(failed));
    return;
  }
  // For each that waits for it: another spec of that one asks for another run.
  for (const auto& [dependent, hash] : run.dependent_hash()) {
    failed.set_spec_hash(sync::ProcedureNeed{dependent, hash}.KeyOf(run.spec_hash()));
    made_.put_failed_specs.push_back(failed);
  }
}

store::StoreBatch RunEngine::TakeMade() { return std::exchange(made_, {}); }

}  // namespace fairlead::actions
