#include "controller/actions/run_engine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "controller/actions/run_record.h"

namespace fairlead::actions {
namespace {

constexpr std::size_t kIdLength = 10;
// Of one procedure, waiting for each other.
constexpr int kMostOpenRuns = 20;
// Between two writes of a run that only has more output.
constexpr absl::Duration kOutputInterval = absl::Seconds(2);

bool CanRun(const resources::ResourceId& id) {
  return id.kind == "procedure" || id.kind == "resource_sync" || id.kind == "build" ||
         id.kind == "repo";
}

std::string FirstError(const sync::DesiredResource& desired) {
  for (const v1::Problem& problem : desired.problems) {
    if (problem.severity() == v1::SEVERITY_ERROR) {
      return absl::StrCat(problem.file(), ":", problem.line(), ": ", problem.message());
    }
  }
  return "it cannot be read";
}

absl::StatusOr<const sync::DesiredResource*> FindRunnable(const loop::LoopView& view,
                                                          const std::string& resource) {
  const auto id = resources::ResourceId::Parse(resource);
  if (!id.has_value() || !CanRun(*id)) {
    return absl::InvalidArgumentError(
        absl::StrCat(resource, " cannot be run; procedures, builds, repos and resource_syncs can"));
  }
  if (view.generation == 0) return absl::UnavailableError("the controller is starting");
  const auto desired = view.input.desired->resources.find(*id);
  if (desired == view.input.desired->resources.end()) {
    return absl::NotFoundError(absl::StrCat("no ", id->kind, " \"", id->name,
                                            "\" is declared. List them with: fairlead get ",
                                            id->kind));
  }
  if (desired->second->invalid || desired->second->spec == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(resource, " is invalid: ", FirstError(*desired->second)));
  }
  return desired->second.get();
}

bool HasBatch(const v1::RunStage& stage) {
  return std::any_of(stage.executions().begin(), stage.executions().end(), [](const auto& one) {
    return one.has_execution() && ComputeTerms(one.execution()).batch;
  });
}

bool HasFailed(const v1::RunExecution& execution) {
  return execution.state() == v1::RUN_STATE_FAILED ||
         execution.state() == v1::RUN_STATE_INTERRUPTED;
}

}  // namespace

RunEngine::RunEngine(const store::StoreImage& image, base::Random& random) : random_(random) {
  for (const v1::Run& run : image.runs) {
    runs_.push_back(std::make_unique<Active>(Active{.run = run}));
  }
  for (const v1::BuildRecord& record : image.builds) builds_[record.resource()] = record;
  for (const auto& active : runs_) {
    active->told = active->run.lines_dropped() + static_cast<uint32_t>(active->run.log_size());
  }
  for (const v1::ActionRecord& record : image.actions) {
    known_actions_.insert(record.action().id());
  }
}

absl::StatusOr<v1::Run> RunEngine::Start(const RunOrder& order, const loop::LoopView& view,
                                         absl::Time now) {
  const absl::StatusOr<const sync::DesiredResource*> desired = FindRunnable(view, order.resource);
  if (!desired.ok()) return desired.status();
  const auto open = std::count_if(runs_.begin(), runs_.end(), [&order](const auto& active) {
    return active->run.resource() == order.resource && !HasEnded(active->run.state());
  });
  if (open >= kMostOpenRuns) {
    return absl::ResourceExhaustedError(
        absl::StrCat(order.resource, " has ", open, " runs that wait already"));
  }
  auto active = std::make_unique<Active>();
  v1::Run& run = active->run;
  run = MakeRun((*desired)->id, *(*desired)->spec, order.execution);
  run.set_id(base::NewId(random_, kIdLength));
  run.set_spec_hash((*desired)->spec_hash);
  run.set_trigger(order.trigger);
  run.set_who(order.who);
  run.set_why(order.why);
  run.set_parent(order.parent);
  run.set_head(order.head);
  *run.mutable_created_at() = base::ToProto(now);
  active->changed = true;
  Say(run, now, absl::StrCat("asked for by ", order.who, order.why.empty() ? "" : ": ", order.why));
  stale_ = true;
  runs_.push_back(std::move(active));
  return runs_.back()->run;
}

absl::StatusOr<std::string> RunEngine::Cancel(const std::string& id, const std::string& who,
                                              const std::string& why, absl::Time now) {
  Active* const active = Find(id);
  if (active == nullptr || HasEnded(active->run.state())) {
    return absl::FailedPreconditionError(absl::StrCat("no run ", id, " is under way"));
  }
  CancelRun(*active, absl::StrCat("cancelled by ", who, why.empty() ? "" : ": ", why), now);
  return absl::StrCat("run/", id, " of ", active->run.resource(), " is cancelled");
}

void RunEngine::CancelRun(Active& active, const std::string& message, absl::Time now) {
  for (v1::RunStage& stage : *active.run.mutable_stages()) {
    for (v1::RunExecution& execution : *stage.mutable_executions()) {
      if (HasEnded(execution.state())) continue;
      const Place place{&active, &stage, &execution};
      if (execution.state() == v1::RUN_STATE_RUNNING) CallOff(place, now);
      execution.set_message(message);
      End(execution, v1::RUN_STATE_CANCELLED, now);
    }
    if (!HasEnded(stage.state())) End(stage, v1::RUN_STATE_CANCELLED, now);
  }
  EndRun(active, v1::RUN_STATE_CANCELLED, message, now);
}

RunEngine::Active* RunEngine::Find(const std::string& id) {
  const auto found = std::find_if(runs_.begin(), runs_.end(),
                                  [&id](const auto& active) { return active->run.id() == id; });
  return found == runs_.end() ? nullptr : found->get();
}

RunEngine::Place RunEngine::FindRequest(const std::string& request_id) {
  for (const auto& active : runs_) {
    for (v1::RunStage& stage : *active->run.mutable_stages()) {
      for (v1::RunExecution& execution : *stage.mutable_executions()) {
        if (execution.request_id() == request_id && execution.state() == v1::RUN_STATE_RUNNING) {
          return {active.get(), &stage, &execution};
        }
      }
    }
  }
  return {};
}

bool RunEngine::IsOpen(const std::string& resource) const {
  return std::any_of(runs_.begin(), runs_.end(), [&resource](const auto& active) {
    return active->run.resource() == resource && !HasEnded(active->run.state());
  });
}

bool RunEngine::IsWaiting(const std::string& resource) const {
  return std::any_of(runs_.begin(), runs_.end(), [&resource](const auto& active) {
    return active->run.resource() == resource && active->run.state() == v1::RUN_STATE_WAITING;
  });
}

bool RunEngine::MayBegin(const Active& active) const {
  for (const auto& other : runs_) {
    if (other.get() == &active) return true;
    if (other->run.resource() == active.run.resource() && !HasEnded(other->run.state())) {
      return false;
    }
  }
  return true;
}

v1::RunStage* RunEngine::CurrentStage(v1::Run& run) {
  for (v1::RunStage& stage : *run.mutable_stages()) {
    if (!HasEnded(stage.state())) return &stage;
  }
  return nullptr;
}

RunCommands RunEngine::Advance(const loop::LoopView& view, absl::Time now) {
  stale_ = false;
  wake_at_ = absl::InfiniteFuture();
  // What begins may end at once, and let the next one begin.
  bool again = true;
  while (again) {
    again = false;
    // By index: a run that starts another one appends to the list.
    // NOLINTNEXTLINE(modernize-loop-convert)
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (AdvanceRun(*runs_[i], view, now)) again = true;
    }
  }
  return std::exchange(commands_, {});
}

bool RunEngine::AdvanceRun(Active& active, const loop::LoopView& view, absl::Time now) {
  v1::Run& run = active.run;
  if (HasEnded(run.state())) return false;
  if (run.state() == v1::RUN_STATE_WAITING) {
    if (!MayBegin(active)) return false;
    run.set_state(v1::RUN_STATE_RUNNING);
    *run.mutable_started_at() = base::ToProto(now);
    active.changed = true;
    NoteDependents(run, view);
    Tell(run, "run-started", absl::StrCat(NameOfRun(run), " begins, for ", run.who()));
  }
  v1::RunStage* const stage = CurrentStage(run);
  if (stage == nullptr) {
    std::string tolerated;
    for (const v1::RunStage& one : run.stages()) {
      if (one.state() != v1::RUN_STATE_FAILED) continue;
      absl::StrAppend(&tolerated, tolerated.empty() ? "went on after errors in stage " : ", ", "\"",
                      one.name(), "\"");
    }
    EndRun(active, v1::RUN_STATE_SUCCEEDED, tolerated, now);
    return true;
  }
  if (stage->state() == v1::RUN_STATE_WAITING) {
    // What a pattern means is not known before.
    if (!view.input.desired->complete && HasBatch(*stage)) return false;
    BeginStage(active, *stage, view, now);
  }
  return AdvanceStage(active, *stage, view, now);
}

void RunEngine::BeginStage(Active& active, v1::RunStage& stage, const loop::LoopView& view,
                           absl::Time now) {
  ExpandStage(*view.input.desired, now, active.run, stage);
  stage.set_state(v1::RUN_STATE_RUNNING);
  *stage.mutable_started_at() = base::ToProto(now);
  const absl::Duration timeout = base::FromProto(stage.timeout());
  if (timeout > absl::ZeroDuration()) *stage.mutable_deadline() = base::ToProto(now + timeout);
  active.changed = true;
  Say(active.run, now, absl::StrCat("stage \"", stage.name(), "\" begins"));
}

// Leaves no execution of the stage under way.
void RunEngine::TimeOut(Active& active, v1::RunStage& stage, absl::Time now) {
  for (v1::RunExecution& execution : *stage.mutable_executions()) {
    if (HasEnded(execution.state())) continue;
    const Place place{&active, &stage, &execution};
    const std::string so_far = execution.message();
    if (execution.action_id().empty()) unsent_.insert(active.run.id());
    if (execution.state() == v1::RUN_STATE_RUNNING) CallOff(place, now);
    // No attempt is left.
    execution.set_attempts(stage.retries() + 1);
    Conclude(
        place, v1::RUN_STATE_FAILED,
        absl::StrCat("not done within ", absl::FormatDuration(base::FromProto(stage.timeout())),
                     so_far.empty() ? "" : ": ", so_far),
        now);
  }
}

// True when the execution waits: for its time, or for a place.
bool RunEngine::MustWait(const v1::RunStage& stage, const v1::RunExecution& execution,
                         uint32_t running, absl::Time now) {
  const absl::Time due =
      execution.has_not_before() ? base::FromProto(execution.not_before()) : absl::InfinitePast();
  if (due > now) wake_at_ = std::min(wake_at_, due);
  return due > now || running >= stage.max_parallel();
}

bool RunEngine::AdvanceStage(Active& active, v1::RunStage& stage, const loop::LoopView& view,
                             absl::Time now) {
  if (stage.has_deadline() && base::FromProto(stage.deadline()) <= now) {
    TimeOut(active, stage, now);
  }
  uint32_t running = 0;
  bool failed = false;
  for (const v1::RunExecution& execution : stage.executions()) {
    if (execution.state() == v1::RUN_STATE_RUNNING) ++running;
    failed = failed || HasFailed(execution);
  }
  bool ended = true;
  // Nothing is added to the list in here, so that places stay.
  for (v1::RunExecution& execution : *stage.mutable_executions()) {
    if (HasEnded(execution.state())) continue;
    const Place place{&active, &stage, &execution};
    if (execution.state() == v1::RUN_STATE_WAITING) {
      if (failed && !stage.continue_on_error() && execution.attempts() == 0) {
        execution.set_message("an execution beside it failed");
        End(execution, v1::RUN_STATE_SKIPPED, now);
        active.changed = true;
        continue;
      }
      if (MustWait(stage, execution, running, now)) {
        ended = false;
        continue;
      }
      ++running;
      Begin(place, now);
    }
    if (!asked_.contains(execution.request_id())) AskWhenDue(place, view, now);
    ended = ended && HasEnded(execution.state());
    failed = failed || HasFailed(execution);
    if (execution.state() == v1::RUN_STATE_RUNNING) {
      wake_at_ = std::min(wake_at_, EndOfSleep(execution));
    } else {
      --running;
    }
  }
  if (HasEnded(active.run.state())) return true;
  if (ended) {
    EndStage(active, stage, now);
  } else if (stage.has_deadline()) {
    wake_at_ = std::min(wake_at_, base::FromProto(stage.deadline()));
  }
  return ended;
}

void RunEngine::EndStage(Active& active, v1::RunStage& stage, absl::Time now) {
  active.changed = true;
  std::string first;
  bool interrupted = false;
  for (const v1::RunExecution& execution : stage.executions()) {
    const bool cut = execution.state() == v1::RUN_STATE_INTERRUPTED;
    if (!cut && execution.state() != v1::RUN_STATE_FAILED) continue;
    interrupted = interrupted || cut;
    if (first.empty()) first = absl::StrCat(Title(execution), ": ", execution.message());
  }
  End(stage, first.empty() ? v1::RUN_STATE_SUCCEEDED : v1::RUN_STATE_FAILED, now);
  Say(active.run, now,
      absl::StrCat("stage \"", stage.name(), "\" ", first.empty() ? "is done" : "has failed"),
      !first.empty());
  if (first.empty() || stage.continue_on_error()) return;
  for (v1::RunStage& later : *active.run.mutable_stages()) {
    if (HasEnded(later.state())) continue;
    later.set_state(v1::RUN_STATE_SKIPPED);
    for (v1::RunExecution& execution : *later.mutable_executions()) {
      execution.set_state(v1::RUN_STATE_SKIPPED);
    }
  }
  EndRun(active, interrupted ? v1::RUN_STATE_INTERRUPTED : v1::RUN_STATE_FAILED,
         absl::StrCat("stage \"", stage.name(), "\": ", first), now);
}

void RunEngine::EndRun(Active& active, v1::RunState state, const std::string& message,
                       absl::Time now) {
  v1::Run& run = active.run;
  run.set_message(message);
  End(run, state, now);
  active.changed = true;
  stale_ = true;
  NoteEnd(run, now);
  const bool well = state == v1::RUN_STATE_SUCCEEDED;
  const std::string name = absl::AsciiStrToLower(v1::RunState_Name(state).substr(10));
  Say(run, now, absl::StrCat(name, message.empty() ? "" : ": ", message), !well);
  const std::string text =
      absl::StrCat(NameOfRun(run), " ", name, message.empty() ? "" : ": ", message);
  Tell(run, absl::StrCat("run-", name), text, !well);
  // Whoever cancels it knows.
  const bool alerts = run.failure_alert() && !well && state != v1::RUN_STATE_CANCELLED;
  if (alerts) Tell(run, "procedure-failed", text, true);
}

std::vector<v1::Run> RunEngine::TakeChanged(absl::Time now) {
  std::vector<v1::Run> changed;
  for (const auto& active : runs_) {
    const bool due = active->has_output && active->stored_at + kOutputInterval <= now;
    if (!std::exchange(active->changed, false) && !due) continue;
    active->has_output = false;
    active->stored_at = now;
    changed.push_back(active->run);
  }
  std::erase_if(runs_, [this](const auto& active) {
    if (!HasEnded(active->run.state())) return false;
    const std::string prefix = active->run.id() + ".";
    const auto is_its = [&prefix](const std::string& id) { return absl::StartsWith(id, prefix); };
    std::erase_if(asked_, is_its);
    std::erase_if(fetched_, [&is_its](const auto& item) { return is_its(item.first); });
    std::erase_if(later_, [&is_its](const auto& item) { return is_its(item.first); });
    return true;
  });
  return changed;
}

std::vector<loop::RunLines> RunEngine::TakeLines() {
  std::vector<loop::RunLines> all;
  for (const auto& active : runs_) {
    const v1::Run& run = active->run;
    const uint64_t end = run.lines_dropped() + static_cast<uint64_t>(run.log_size());
    if (active->told == end) continue;
    loop::RunLines lines{.run_id = run.id(),
                         .first = std::max<uint64_t>(active->told, run.lines_dropped()),
                         .lines = {}};
    for (uint64_t i = lines.first; i < end; ++i) {
      lines.lines.push_back(run.log(static_cast<int>(i - run.lines_dropped())));
    }
    active->told = end;
    all.push_back(std::move(lines));
  }
  return all;
}

const v1::Run* RunEngine::FindOpen(const std::string& id) const {
  for (const auto& active : runs_) {
    if (active->run.id() == id && !HasEnded(active->run.state())) return &active->run;
  }
  return nullptr;
}

absl::Time RunEngine::wake_at() const {
  if (stale_) return absl::InfinitePast();
  absl::Time wake = wake_at_;
  for (const auto& active : runs_) {
    if (active->has_output) wake = std::min(wake, active->stored_at + kOutputInterval);
  }
  return wake;
}

void RunEngine::Tell(const v1::Run& run, const std::string& type, const std::string& message,
                     bool warning) {
  v1::Event event;
  event.set_resource(run.resource());
  event.set_type(type);
  event.set_message(message);
  event.set_warning(warning);
  commands_.events.push_back(std::move(event));
}

}  // namespace fairlead::actions
