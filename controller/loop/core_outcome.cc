// What the outcome of an action changes.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/core.h"
#include "resources/container_spec.h"
#include "sync/gates.h"

namespace fairlead::loop {
namespace {

// A failed replacement has cost an interruption: it is tried less often than the rest.
base::BackoffPolicy PolicyOf(v1::StepAction step) {
  if (step == v1::STEP_ACTION_REPLACE) return {.initial = absl::Seconds(5)};
  return {.initial = absl::Seconds(1)};
}

// A step that succeeds so often for one target does not bring about what it is for.
constexpr int kSeriesLimit = 8;
constexpr absl::Duration kSeriesEnd = absl::Minutes(10);

// A step knows its source by name; those of syncs are origins of their own kind.
std::string OriginOf(const v1::ActionRecord& record) {
  const std::string& name = record.sync();
  if (name.empty() || name == "bootstrap" || name == "api") return name;
  return absl::StrCat("resource_sync/", name);
}

// An agent that is older cannot look ahead: what it would find, the step itself will find.
bool HasPassedPreflight(const v1::ActionRecord& record, const v1::ActionOutcome& outcome) {
  return record.step() == v1::STEP_ACTION_CHECK &&
         (outcome.status() == v1::ACTION_STATUS_SUCCEEDED ||
          outcome.code() == static_cast<int32_t>(absl::StatusCode::kUnimplemented));
}

}  // namespace

void Core::OnOutcome(const std::string& server, const v1::ActionOutcome& outcome, absl::Time now) {
  acknowledge_.push_back({server, outcome.action_id()});
  const auto found = running_.find(outcome.action_id());
  if (found == running_.end()) return;
  const Running running = found->second;
  running_.erase(found);
  batch_.delete_actions.push_back(outcome.action_id());
  const std::string& resource = running.record.action().resource();
  Vacate(running.record);
  Report(running.record, RequestReport::State::kEnded, outcome);
  options_.observer->OnActionFinished(running.record.step(), outcome.status(),
                                      base::FromProto(outcome.took()));
  for (const std::string& warning : outcome.warnings()) {
    Emit(now, resource, "warning", warning, true);
  }
  if (running.record.job()) {
    EndJob(running, outcome, now);
  } else if (HasPassedPreflight(running.record, outcome)) {
    checked_[resource] = running.record.action().spec_hash();
    ForgetAttempt(resource);
  } else if (outcome.status() == v1::ACTION_STATUS_SUCCEEDED) {
    ApplySuccess(running, outcome, now);
  } else {
    ApplyFailure(running, outcome, now);
  }
}

void Core::ApplySuccess(const Running& running, const v1::ActionOutcome& outcome, absl::Time now) {
  const std::string& resource = running.record.action().resource();
  ForgetAttempt(resource);
  Emit(now, resource, "step-succeeded",
       absl::StrCat(v1::StepAction_Name(running.record.step()).substr(12), " took ",
                    absl::FormatDuration(
                        absl::Trunc(base::FromProto(outcome.took()), absl::Milliseconds(1)))));
  const auto healing = healing_.find(resource);
  const bool heals = healing != healing_.end();
  HoldBackRepetition(running.record, heals, now);
  if (heals) {
    const auto id = resources::ResourceId::Parse(resource);
    options_.observer->OnDriftHealed(id->kind);
    Emit(now, resource, "drift-healed",
         absl::StrCat("healed in ", absl::FormatDuration(absl::Trunc(now - healing->second,
                                                                     absl::Milliseconds(1)))));
    healing_.erase(healing);
  }
  if (input_.inventory.contains(resource)) {
    v1::InventoryEntry entry = EntryOf(resource);
    NoteDuration(running, outcome, entry);
    PutEntry(std::move(entry));
  }
  switch (running.record.step()) {
    case v1::STEP_ACTION_CREATE:
    case v1::STEP_ACTION_REPLACE:
    case v1::STEP_ACTION_ADOPT:
    case v1::STEP_ACTION_UPDATE:
      RecordApplied(running, outcome, now);
      return;
    case v1::STEP_ACTION_MOVE:
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_DESTROY:
      ApplyRemoval(running, now);
      return;
    case v1::STEP_ACTION_START:
      NoteStarted(resource);
      return;
    case v1::STEP_ACTION_ROLLBACK: {
      v1::InventoryEntry entry = EntryOf(resource);
      if (entry.has_good()) {
        *entry.mutable_applied() = entry.good();
        *entry.mutable_applied_files() = entry.good_files();
        entry.set_applied_hash(entry.good_hash());
        entry.set_applied_revision(entry.good_revision());
      }
      entry.set_container_id(outcome.container_id());
      entry.clear_section_hash();
      PutHistory(entry, v1::SpecRecord::OUTCOME_HEALTHY, "put back", now);
      PutEntry(std::move(entry));
      // A container that was between two restarts had no last words yet when it was judged.
      for (auto& [hash, failed] : input_.failed_specs[resource]) {
        if (!failed.log_tail().empty() || outcome.log_tail().empty()) continue;
        failed.set_log_tail(outcome.log_tail());
        batch_.put_failed_specs.push_back(failed);
      }
      Emit(now, resource, "rolled-back", "the old container is back", true);
      return;
    }
    default:
      return;
  }
}

// What was stopped as declared runs as it is declared now: a new life, with its own time to become
// healthy.
void Core::NoteStarted(const std::string& resource) {
  const auto id = resources::ResourceId::Parse(resource);
  const auto desired = input_.desired->resources.find(*id);
  v1::InventoryEntry entry = EntryOf(resource);
  if (desired == input_.desired->resources.end() || desired->second->spec == nullptr ||
      !entry.has_applied() || entry.applied_hash() != desired->second->spec_hash ||
      entry.applied().state() == desired->second->spec->state()) {
    return;
  }
  entry.mutable_applied()->set_state(desired->second->spec->state());
  if (entry.good_hash() == entry.applied_hash()) {
    entry.mutable_good()->set_state(entry.applied().state());
  }
  entry.clear_restarts();
  PutEntry(std::move(entry));
}

void Core::NoteDuration(const Running& running, const v1::ActionOutcome& outcome,
                        v1::InventoryEntry& entry) {
  (*entry.mutable_step_seconds())[running.record.step()] =
      absl::ToDoubleSeconds(base::FromProto(outcome.took()));
}

void Core::ApplyRemoval(const Running& running, absl::Time now) {
  const std::string& resource = running.record.action().resource();
  const auto host = input_.live->hosts.find(running.record.server());
  // The agent's look at the host came before its outcome. What it still shows would be left alone
  // for ever without the entry.
  if (host != input_.live->hosts.end() && host->second->online) {
    for (const auto& [id, container] : host->second->containers) {
      if (container->installation() != options_.installation || container->resource() != resource) {
        continue;
      }
      v1::Step step;
      step.set_resource(resource);
      step.set_action(running.record.step());
      step.set_target_hash(running.record.action().spec_hash());
      NoteFailedStep(step,
                     absl::UnavailableError(absl::StrCat("container ", container->name(),
                                                         " is still there after its removal")),
                     now);
      return;
    }
  }
  if (running.record.step() == v1::STEP_ACTION_MOVE) {
    input_.failed_specs.erase(resource);
    batch_.delete_failed_specs.emplace_back(resource, "");
    MoveEntry(running.record);
    return;
  }
  ForgetResource(resource);
  if (running.record.step() == v1::STEP_ACTION_PRUNE) {
    Emit(now, resource, "pruned", "removed: declared nowhere any more");
  }
}

// It goes on at its new place, and what has begun is not held up there: the spec counts as applied,
// by no action so far.
void Core::MoveEntry(const v1::ActionRecord& moved) {
  const std::string& resource = moved.action().resource();
  const auto id = resources::ResourceId::Parse(resource);
  const auto desired = input_.desired->resources.find(*id);
  EraseEntry(resource);
  if (desired == input_.desired->resources.end() || desired->second->spec == nullptr ||
      desired->second->spec_hash != moved.action().spec_hash()) {
    return;
  }
  v1::InventoryEntry entry;
  entry.set_resource(resource);
  entry.set_origin(desired->second->origin);
  entry.set_server(desired->second->server);
  entry.set_name(desired->second->docker_name);
  *entry.mutable_applied() = *desired->second->spec;
  entry.set_applied_hash(moved.action().spec_hash());
  entry.set_applied_revision(moved.revision());
  for (const auto& after : desired->second->after) entry.add_after(after.ToString());
  *entry.mutable_applied_files() = FilesToKeep(entry);
  PutEntry(std::move(entry));
}

void Core::RecordApplied(const Running& running, const v1::ActionOutcome& outcome, absl::Time now) {
  const std::string& resource = running.record.action().resource();
  const auto id = resources::ResourceId::Parse(resource);
  v1::InventoryEntry entry = EntryOf(resource);
  const bool is_another = entry.applied_hash() != running.record.action().spec_hash();
  NoteDuration(running, outcome, entry);
  if (running.record.has_spec()) *entry.mutable_applied() = running.record.spec();
  entry.set_applied_hash(running.record.action().spec_hash());
  entry.set_applied_revision(running.record.revision());
  *entry.mutable_applied_at() = base::ToProto(now);
  entry.set_server(running.record.server());
  if (running.record.has_spec()) entry.set_name(resources::DockerNameOf(running.record.spec()));
  if (running.record.step() == v1::STEP_ACTION_ADOPT) entry.set_adopted(true);
  if (running.record.step() != v1::STEP_ACTION_UPDATE) {
    entry.set_container_id(outcome.container_id());
    entry.clear_section_hash();
  }
  const auto desired = input_.desired->resources.find(*id);
  if (desired == input_.desired->resources.end()) {
    // It went while the action ran: without an origin nobody would ever remove it.
    if (entry.origin().empty()) entry.set_origin(OriginOf(running.record));
  } else {
    entry.set_origin(desired->second->origin);
    entry.set_build(desired->second->image_build);
    entry.clear_after();
    entry.clear_dependency_hash();
    for (const auto& after : desired->second->after) {
      entry.add_after(after.ToString());
      const auto dependency = input_.inventory.find(after.ToString());
      if (dependency != input_.inventory.end()) {
        (*entry.mutable_dependency_hash())[after.ToString()] = dependency->second->applied_hash();
      }
    }
  }
  *entry.mutable_applied_files() = FilesToKeep(entry);
  if (is_another) {
    const bool proven = entry.good_hash() == entry.applied_hash();
    PutHistory(entry, proven ? v1::SpecRecord::OUTCOME_HEALTHY : v1::SpecRecord::OUTCOME_APPLIED,
               "", now);
  }
  PutEntry(std::move(entry));
}

void Core::ApplyFailure(const Running& running, const v1::ActionOutcome& outcome, absl::Time now) {
  const std::string& resource = running.record.action().resource();
  std::string message = outcome.message();
  const bool by_operator =
      outcome.status() == v1::ACTION_STATUS_CANCELLED && !running.cancelled_by.empty();
  if (by_operator) {
    message = absl::StrCat("cancelled by ", running.cancelled_by,
                           "; try again with: fairlead retry ", resource);
  } else if (outcome.status() == v1::ACTION_STATUS_CANCELLED && message.empty()) {
    message = "cancelled";
  }
  if (outcome.status() == v1::ACTION_STATUS_INTERRUPTED) {
    Emit(now, resource, "interrupted", message, true);
    // An operator's request is over. A step would come again, and with it what must not.
    if (running.record.operator_request() || !sync::MakesContainers(running.record.step())) return;
    absl::StrAppend(&message, "; try again with: fairlead retry ", resource);
  }
  never_sent_.erase(resource);
  v1::Step step;
  step.set_resource(resource);
  step.set_action(running.record.step());
  step.set_target_hash(running.record.action().spec_hash());
  auto code = static_cast<absl::StatusCode>(outcome.code());
  if (code == absl::StatusCode::kOk) code = absl::StatusCode::kUnknown;
  NoteFailedStep(step, absl::Status(code, message), now,
                 by_operator || outcome.status() == v1::ACTION_STATUS_INTERRUPTED);
}

// Heals by starting have a backoff of their own and know no target. An attempt at making a
// container would say that it could not be made, and be a reason to go back.
void Core::HoldBackRepetition(const v1::ActionRecord& record, bool heals, absl::Time now) {
  const bool starts =
      record.step() == v1::STEP_ACTION_START || record.step() == v1::STEP_ACTION_RESTART;
  if (record.operator_request() || (heals && starts) || sync::MakesContainers(record.step())) {
    return;
  }
  const std::string& resource = record.action().resource();
  auto& of_resource = series_[resource];
  std::erase_if(of_resource,
                [now](const auto& entry) { return now - entry.second.last >= kSeriesEnd; });
  Series& series = of_resource[{record.step(), record.action().spec_hash()}];
  ++series.count;
  series.last = now;
  const int attempts = series.count - kSeriesLimit + 1;
  if (attempts < 1) return;
  const std::string step = v1::StepAction_Name(record.step()).substr(12);
  sync::FailedAttempt& attempt = input_.failed_attempts[resource];
  changed_attempts_.insert(resource);
  attempt = {
      .target_hash = record.action().spec_hash(),
      .action = record.step(),
      .message = absl::StrCat(step, " has succeeded ", series.count,
                              " times in a row and is needed again: something undoes it, or "
                              "the engine does not show what it was told"),
      .attempts = attempts,
      .not_before = now + base::ComputeJitteredDelay(PolicyOf(record.step()), attempts, random_)};
  MarkDirty(resource);
  if (attempts == 1) Emit(now, resource, "warning", attempt.message, true);
}

bool Core::ForgetAttempt(const std::string& resource) {
  if (input_.failed_attempts.erase(resource) == 0) return false;
  changed_attempts_.insert(resource);
  return true;
}

void Core::ForgetLeftAttempts() {
  if (!input_.desired->complete) return;
  std::vector<std::string> left;
  for (const auto& [resource, attempt] : input_.failed_attempts) {
    const auto id = resources::ResourceId::Parse(resource);
    const bool declared = id.has_value() && input_.desired->resources.contains(*id);
    if (!declared && !input_.inventory.contains(resource)) left.push_back(resource);
  }
  for (const std::string& resource : left) ForgetAttempt(resource);
}

void Core::KeepAttempts() {
  for (const std::string& resource : std::exchange(changed_attempts_, {})) {
    const auto found = input_.failed_attempts.find(resource);
    // A pause is begun anew after a restart; what could not even be sent is tried again then.
    const bool waits_for_person = found != input_.failed_attempts.end() &&
                                  found->second.not_before == absl::InfiniteFuture() &&
                                  !never_sent_.contains(resource);
    if (!waits_for_person) {
      if (kept_attempts_.erase(resource) != 0) batch_.delete_attempts.push_back(resource);
      continue;
    }
    const sync::FailedAttempt& attempt = found->second;
    v1::AttemptRecord record;
    record.set_resource(resource);
    record.set_target_hash(attempt.target_hash);
    record.set_action(attempt.action);
    record.set_message(attempt.message);
    record.set_attempts(static_cast<uint32_t>(attempt.attempts));
    batch_.put_attempts.push_back(std::move(record));
    kept_attempts_.insert(resource);
  }
}

// The step was for another spec, while the declared one waits after an attempt of its own.
bool Core::StandsInFor(const v1::Step& step, const sync::FailedAttempt& attempt) const {
  const auto id = resources::ResourceId::Parse(step.resource());
  const auto desired = input_.desired->resources.find(*id);
  return desired != input_.desired->resources.end() &&
         attempt.target_hash == desired->second->spec_hash && sync::IsForward(step.action()) &&
         step.target_hash() != attempt.target_hash;
}

void Core::NoteFailedStep(const v1::Step& step, const absl::Status& why, absl::Time now,
                          bool by_operator) {
  sync::FailedAttempt& attempt = input_.failed_attempts[step.resource()];
  const std::string message =
      absl::StrCat(v1::StepAction_Name(step.action()).substr(12), ": ", why.message());
  if (StandsInFor(step, attempt)) {
    attempt.stand_in_not_before =
        now +
        base::ComputeJitteredDelay(PolicyOf(step.action()), ++attempt.stand_in_attempts, random_);
    MarkDirty(step.resource());
    Emit(now, step.resource(), "step-failed", message, true);
    return;
  }
  changed_attempts_.insert(step.resource());
  if (attempt.target_hash != step.target_hash()) attempt = {};
  if (attempt.action != step.action()) attempt.attempts = 0;
  attempt.target_hash = step.target_hash();
  attempt.action = step.action();
  attempt.message = std::string(why.message());
  ++attempt.attempts;
  // What the user's file itself asks for cannot pass by waiting; nor does an operator's word.
  attempt.not_before =
      absl::IsInvalidArgument(why) || by_operator
          ? absl::InfiniteFuture()
          : now + base::ComputeJitteredDelay(PolicyOf(step.action()), attempt.attempts, random_);
  MarkDirty(step.resource());
  Emit(now, step.resource(), "step-failed", message, true);
}

}  // namespace fairlead::loop
