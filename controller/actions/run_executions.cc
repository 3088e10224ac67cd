// What becomes of one execution of a run.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/proto_time.h"
#include "controller/actions/run_engine.h"
#include "controller/actions/run_record.h"
#include "controller/actions/verdict.h"

namespace fairlead::actions {
namespace {

using Kind = loop::OperatorRequest::Kind;

constexpr base::BackoffPolicy kRetryPolicy{.initial = absl::Seconds(1),
                                           .maximum = absl::Minutes(1)};

bool IsCoreVerb(Verb verb) {
  return verb == Verb::kDeploy || verb == Verb::kStart || verb == Verb::kStop ||
         verb == Verb::kRestart;
}

Kind KindOf(Verb verb) {
  switch (verb) {
    case Verb::kStart:
      return Kind::kStart;
    case Verb::kStop:
      return Kind::kStop;
    case Verb::kRestart:
      return Kind::kRestart;
    case Verb::kDestroy:
      return Kind::kStop;
    case Verb::kPause:
      return Kind::kPause;
    case Verb::kUnpause:
      return Kind::kUnpause;
    default:
      return Kind::kDeploy;
  }
}

std::string Took(const v1::RunExecution& execution, absl::Time now) {
  return absl::FormatDuration(
      absl::Trunc(now - base::FromProto(execution.started_at()), absl::Milliseconds(1)));
}

bool IsKnownNow(const loop::LoopView& view, const v1::RunExecution& execution) {
  const Verdict verdict = JudgeBeforehand(view, ComputeTerms(execution.execution()).target);
  return verdict.state == Verdict::State::kFailed || verdict.message.empty();
}

}  // namespace

loop::OperatorRequest RunEngine::RequestOf(const Place& place, Kind kind) {
  loop::OperatorRequest request{.kind = kind,
                                .resource = place.execution->target(),
                                .who = place.active->run.resource(),
                                .why = NameOfRun(place.active->run),
                                .request_id = place.execution->request_id()};
  if (kind == Kind::kStop) {
    const StopWish wish = StopWishOf(place.execution->execution());
    request.stop_signal = wish.signal;
    request.stop_seconds = wish.seconds;
  }
  return request;
}

void RunEngine::Begin(const Place& place, absl::Time now) {
  v1::RunExecution& execution = *place.execution;
  const v1::Run& run = place.active->run;
  execution.set_attempts(execution.attempts() + 1);
  execution.set_state(v1::RUN_STATE_RUNNING);
  if (execution.has_execution()) execution.clear_message();
  execution.clear_action_id();
  execution.clear_acted();
  execution.clear_run_id();
  execution.clear_not_before();
  *execution.mutable_started_at() = base::ToProto(now);
  int stage_index = 0;
  int index = 0;
  for (int i = 0; i < run.stages_size(); ++i) {
    if (&run.stages(i) == place.stage) stage_index = i;
  }
  for (int i = 0; i < place.stage->executions_size(); ++i) {
    if (&place.stage->executions(i) == place.execution) index = i;
  }
  execution.set_request_id(
      absl::StrCat(run.id(), ".", stage_index, ".", index, ".", execution.attempts()));
  place.active->changed = true;
}

void RunEngine::Ask(const Place& place, const loop::LoopView& view, absl::Time now) {
  v1::RunExecution& execution = *place.execution;
  if (!execution.has_execution()) {
    asked_.insert(execution.request_id());
    execution.set_attempts(place.stage->retries() + 1);
    Conclude(place, v1::RUN_STATE_FAILED, std::string(execution.message()), now);
    return;
  }
  const ExecutionTerms terms = ComputeTerms(execution.execution());
  if (IsCoreVerb(terms.verb)) {
    AskCore(place, terms, view, now);
    return;
  }
  if (IsJob(terms, place.active->run.resource())) {
    AskJob(place, terms, view, now);
    return;
  }
  const bool child = terms.verb == Verb::kRun && execution.run_id().empty();
  if (child && !IsKnownNow(view, execution)) {
    SetMessage(place, JudgeBeforehand(view, terms.target).message);
    return;
  }
  asked_.insert(execution.request_id());
  switch (terms.verb) {
    case Verb::kSleep:
      return;
    case Verb::kRunSync:
      commands_.fetches.push_back({terms.target.name, execution.request_id()});
      return;
    case Verb::kRun:
      if (child) RunChild(place, terms, view, now);
      return;
    case Verb::kCancelRuns:
      CancelRunsOf(place, terms, now);
      return;
    case Verb::kBackup:
      commands_.backups.push_back(execution.request_id());
      return;
    default:
      Conclude(place, v1::RUN_STATE_SUCCEEDED, "", now);
  }
}

void RunEngine::CancelRunsOf(const Place& place, const ExecutionTerms& terms, absl::Time now) {
  const v1::Execution& execution = place.execution->execution();
  const std::string wanted = execution.cancel_procedure().update_id();
  for (const std::unique_ptr<Active>& each : runs_) {
    Active& other = *each;
    const bool meant = other.run.resource() == terms.target.ToString() &&
                       (wanted.empty() || other.run.id() == wanted) &&
                       !HasEnded(other.run.state()) && &other != place.active;
    // Of a repo only what its builder does.
    const bool spared = execution.has_cancel_repo_build() && other.run.stages_size() > 0 &&
                        !other.run.stages(0).executions().empty() &&
                        !other.run.stages(0).executions(0).execution().has_build_repo();
    if (meant && !spared) {
      CancelRun(other, absl::StrCat("cancelled by ", place.active->run.resource()), now);
    }
  }
  // This run may have been a part of what was cancelled.
  if (!HasEnded(place.execution->state())) Conclude(place, v1::RUN_STATE_SUCCEEDED, "", now);
}

void RunEngine::AskCore(const Place& place, const ExecutionTerms& terms, const loop::LoopView& view,
                        absl::Time now) {
  const bool restart = terms.verb == Verb::kRestart;
  if (restart && !Resume(place, now)) return;
  const Verdict verdict = JudgeBeforehand(view, terms.target);
  if (verdict.state == Verdict::State::kFailed) {
    asked_.insert(place.execution->request_id());
    Conclude(place, v1::RUN_STATE_FAILED, verdict.message, now);
    return;
  }
  SetMessage(place, verdict.message);
  // The sources are still read: asked again at the next pass.
  if (!verdict.message.empty()) return;
  if (restart && view.input.holds.contains(terms.target.ToString())) {
    asked_.insert(place.execution->request_id());
    Conclude(place, v1::RUN_STATE_FAILED, "it is held stopped: nothing runs to be restarted", now);
    return;
  }
  asked_.insert(place.execution->request_id());
  commands_.requests.push_back(RequestOf(place, KindOf(terms.verb)));
}

bool RunEngine::Resume(const Place& place, absl::Time now) {
  const v1::RunExecution& execution = *place.execution;
  // Never dispatched: it is as if it had not been asked for.
  if (execution.action_id().empty()) return true;
  asked_.insert(execution.request_id());
  if (!execution.acted() && !known_actions_.contains(execution.action_id())) {
    Conclude(place, v1::RUN_STATE_INTERRUPTED,
             "cut by a crash; whether it was carried out is not known, and it is not repeated",
             now);
  }
  return false;
}

void RunEngine::RunChild(const Place& place, const ExecutionTerms& terms,
                         const loop::LoopView& view, absl::Time now) {
  const std::string resource = terms.target.ToString();
  const std::string ancestry = Ancestry(*place.active, resource);
  if (!ancestry.empty()) {
    place.execution->set_attempts(place.stage->retries() + 1);
    Conclude(place, v1::RUN_STATE_FAILED, absl::StrCat("runs itself: ", ancestry), now);
    return;
  }
  const v1::Run& parent = place.active->run;
  RunOrder order{.resource = resource,
                 .trigger = v1::RUN_TRIGGER_PROCEDURE,
                 .who = parent.resource(),
                 .why = NameOfRun(parent),
                 .parent = parent.id()};
  if (terms.target.kind != "procedure") order.execution = place.execution->execution();
  const absl::StatusOr<v1::Run> child = Start(order, view, now);
  if (!child.ok()) {
    Conclude(place, v1::RUN_STATE_FAILED, std::string(child.status().message()), now);
    return;
  }
  place.execution->set_run_id(child->id());
  place.active->changed = true;
}

std::string RunEngine::Ancestry(const Active& active, const std::string& resource) const {
  std::string path = resource;
  const Active* at = &active;
  while (at != nullptr) {
    path = absl::StrCat(at->run.resource(), " -> ", path);
    if (at->run.resource() == resource) return path;
    const std::string& parent = at->run.parent();
    at = nullptr;
    for (const auto& other : runs_) {
      if (!parent.empty() && other->run.id() == parent) at = other.get();
    }
  }
  return "";
}

void RunEngine::OnReport(const loop::RequestReport& report, absl::Time now) {
  const Place place = FindRequest(report.request_id);
  if (place.execution == nullptr) return;
  v1::RunExecution& execution = *place.execution;
  // The core knows of it, also where it was asked for in a life before this one.
  asked_.insert(report.request_id);
  using State = loop::RequestReport::State;
  place.active->changed = true;
  const bool job = IsJob(ComputeTerms(execution.execution()), place.active->run.resource());
  switch (report.state) {
    case State::kWaiting:
      SetMessage(place, report.message);
      return;
    case State::kSent:
      execution.set_action_id(report.action_id);
      if (job) execution.clear_message();
      return;
    case State::kLost:
      execution.clear_action_id();
      if (!job) return;
      // Asked for again, from what is declared then.
      asked_.erase(report.request_id);
      stale_ = true;
      return;
    case State::kEnded:
      break;
  }
  switch (report.outcome.status()) {
    case v1::ACTION_STATUS_SUCCEEDED:
      execution.set_acted(true);
      if (job) NoteDone(place, report, now);
      return;
    case v1::ACTION_STATUS_INTERRUPTED:
      Conclude(place, v1::RUN_STATE_INTERRUPTED,
               absl::StrCat("cut by a crash, and not repeated: ", report.outcome.message()), now);
      return;
    default:
      Conclude(
          place, v1::RUN_STATE_FAILED,
          report.outcome.message().empty() ? "the action was cancelled" : report.outcome.message(),
          now);
  }
}

void RunEngine::OnRefused(const std::string& request_id, const absl::Status& why, absl::Time now) {
  const Place place = FindRequest(request_id);
  if (place.execution == nullptr) return;
  Conclude(place, v1::RUN_STATE_FAILED, std::string(why.message()), now);
}

void RunEngine::OnFetched(const std::string& request_id,
                          const absl::StatusOr<std::string>& revision, absl::Time now) {
  const Place place = FindRequest(request_id);
  if (place.execution == nullptr) return;
  if (!revision.ok()) {
    Conclude(place, v1::RUN_STATE_FAILED, std::string(revision.status().message()), now);
    return;
  }
  fetched_[request_id] = *revision;
  Say(place.active->run, now,
      absl::StrCat(Title(*place.execution), ": at revision ", revision->substr(0, 7)));
  place.active->changed = true;
}

void RunEngine::OnBackedUp(const std::string& request_id, const absl::StatusOr<std::string>& path,
                           absl::Time now) {
  const Place place = FindRequest(request_id);
  if (place.execution == nullptr) return;
  if (!path.ok()) {
    Conclude(place, v1::RUN_STATE_FAILED, std::string(path.status().message()), now);
    return;
  }
  Say(place.active->run, now, absl::StrCat("the database is copied to ", *path));
  Conclude(place, v1::RUN_STATE_SUCCEEDED, "", now);
}

void RunEngine::Judge(const loop::LoopView& view, absl::Time now) {
  for (const auto& active : runs_) {
    if (active->run.state() != v1::RUN_STATE_RUNNING) continue;
    v1::RunStage* const stage = CurrentStage(active->run);
    if (stage == nullptr) continue;
    if (stage->state() == v1::RUN_STATE_WAITING && view.input.desired->complete) stale_ = true;
    for (v1::RunExecution& execution : *stage->mutable_executions()) {
      if (execution.state() != v1::RUN_STATE_RUNNING) continue;
      if (asked_.contains(execution.request_id())) {
        JudgeOne({active.get(), stage, &execution}, view, now);
      } else if (!later_.contains(execution.request_id()) && IsKnownNow(view, execution)) {
        // It waited for the sources, and this pass has read them.
        stale_ = true;
      }
    }
  }
}

Verdict RunEngine::JudgeChild(const v1::RunExecution& execution) {
  const Active* const child = Find(execution.run_id());
  if (child == nullptr) return {Verdict::State::kFailed, "its run is gone"};
  if (!HasEnded(child->run.state())) return {};
  const bool well = child->run.state() == v1::RUN_STATE_SUCCEEDED;
  return {well ? Verdict::State::kDone : Verdict::State::kFailed,
          absl::StrCat(NameOfRun(child->run), ": ", child->run.message())};
}

Verdict RunEngine::VerdictOf(const v1::RunExecution& execution, const loop::LoopView& view,
                             absl::Time now) {
  const ExecutionTerms terms = ComputeTerms(execution.execution());
  if (terms.verb == Verb::kRestartServices && execution.acted()) {
    return JudgeRestarted(view, terms.target);
  }
  if (execution.run_id().empty() && (terms.verb == Verb::kRun || IsJob(terms, ""))) {
    return {execution.acted() ? Verdict::State::kDone : Verdict::State::kWaiting,
            execution.message()};
  }
  switch (terms.verb) {
    case Verb::kSleep:
      return {EndOfSleep(execution) <= now ? Verdict::State::kDone : Verdict::State::kWaiting, ""};
    case Verb::kDeploy:
    case Verb::kStart:
      return JudgeDeployed(view, terms.target);
    case Verb::kStop:
      return JudgeStopped(view, terms.target);
    case Verb::kRestart:
      return execution.acted() ? JudgeRestarted(view, terms.target) : Verdict();
    case Verb::kRunSync: {
      const auto fetched = fetched_.find(execution.request_id());
      if (fetched == fetched_.end()) return {};
      return JudgeSynced(view, terms.target.name, fetched->second);
    }
    case Verb::kRun:
      return JudgeChild(execution);
    default:
      return {};
  }
}

void RunEngine::JudgeOne(const Place& place, const loop::LoopView& view, absl::Time now) {
  const Verdict verdict = VerdictOf(*place.execution, view, now);
  switch (verdict.state) {
    case Verdict::State::kWaiting:
      SetMessage(place, verdict.message);
      return;
    case Verdict::State::kDone:
      Conclude(place, v1::RUN_STATE_SUCCEEDED, "", now);
      return;
    case Verdict::State::kFailed:
      Conclude(place, v1::RUN_STATE_FAILED, verdict.message, now);
      return;
  }
}

void RunEngine::SetMessage(const Place& place, const std::string& message) {
  if (place.execution->message() == message) return;
  place.execution->set_message(message);
  place.active->changed = true;
}

void RunEngine::Conclude(const Place& place, v1::RunState state, const std::string& message,
                         absl::Time now) {
  v1::RunExecution& execution = *place.execution;
  v1::Run& run = place.active->run;
  stale_ = true;
  place.active->changed = true;
  execution.set_message(message);
  // What was asked for no longer counts; a hold stays.
  commands_.withdraw.push_back(RequestOf(place, Kind::kDeploy));
  const bool well = state == v1::RUN_STATE_SUCCEEDED;
  if (state == v1::RUN_STATE_FAILED && execution.attempts() <= place.stage->retries()) {
    const absl::Time again =
        now +
        base::ComputeJitteredDelay(kRetryPolicy, static_cast<int>(execution.attempts()), random_);
    execution.set_state(v1::RUN_STATE_WAITING);
    *execution.mutable_not_before() = base::ToProto(again);
    Say(run, now,
        absl::StrCat(Title(execution), ": failed, tried again (", execution.attempts(), " of ",
                     place.stage->retries(), "): ", message),
        true);
    return;
  }
  End(execution, state, now);
  if (well) {
    Say(run, now, absl::StrCat(Title(execution), ": done in ", Took(execution, now)));
  } else {
    Say(run, now,
        absl::StrCat(
            Title(execution),
            state == v1::RUN_STATE_INTERRUPTED ? ": interrupted: " : ": failed: ", message),
        true);
  }
}

void RunEngine::CallOff(const Place& place, absl::Time now) {
  const v1::RunExecution& execution = *place.execution;
  if (!execution.has_execution()) return;
  const ExecutionTerms terms = ComputeTerms(execution.execution());
  if (IsJob(terms, place.active->run.resource())) {
    if (asked_.contains(execution.request_id()) && !execution.acted()) {
      commands_.cancel_jobs.emplace_back(execution.request_id(), place.active->run.resource());
    }
    return;
  }
  if (terms.verb == Verb::kRun) {
    Active* const child = Find(execution.run_id());
    if (child != nullptr && !HasEnded(child->run.state())) {
      CancelRun(*child, absl::StrCat("cancelled with ", NameOfRun(place.active->run)), now);
    }
    return;
  }
  if (!IsCoreVerb(terms.verb) || !asked_.contains(execution.request_id())) return;
  commands_.withdraw.push_back(RequestOf(place, KindOf(terms.verb)));
  // A restart that was not sent is only a wish, and one that has ended has no action.
  const bool restart = terms.verb == Verb::kRestart;
  if (restart && (execution.action_id().empty() || execution.acted())) return;
  // Nothing may be under way: then it is refused, which nobody has to know.
  loop::OperatorRequest cancel = RequestOf(place, Kind::kCancel);
  cancel.request_id.clear();
  commands_.requests.push_back(std::move(cancel));
}

}  // namespace fairlead::actions
