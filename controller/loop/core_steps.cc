// Which steps start, and what the inventory learns from decisions.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/action_logins.h"
#include "controller/loop/action_terms.h"
#include "controller/loop/core.h"
#include "controller/loop/step_action.h"
#include "resources/container_spec.h"

namespace fairlead::loop {
namespace {

bool SendsAction(v1::StepAction action) {
  switch (action) {
    case v1::STEP_ACTION_NONE:
    case v1::STEP_ACTION_WAIT:
    case v1::STEP_ACTION_BLOCKED:
    case v1::STEP_ACTION_FORGET:
      return false;
    default:
      return true;
  }
}

// The container of a resource that carries its name now, not a kept old one.
const v1::Container* CurrentContainer(const sync::PlanInput& input, const std::string& server,
                                      const std::string& id) {
  const auto host = input.live->hosts.find(server);
  if (host == input.live->hosts.end()) return nullptr;
  const auto container = host->second->containers.find(id);
  return container == host->second->containers.end() ? nullptr : container->second.get();
}

// Nothing is left to do about it. What is stopped as declared is never satisfied.
bool IsAsDeclared(const sync::Decision& decision, const v1::Resource& declared) {
  return decision.satisfied || (decision.condition == v1::CONDITION_STOPPED &&
                                declared.state() == v1::WANTED_STATE_STOPPED);
}

}  // namespace

bool Core::RecordNewFailures(absl::Time now) {
  bool changed = false;
  for (const v1::FailedSpec& failed : result_.new_failures) {
    auto& known = input_.failed_specs[failed.resource()];
    if (known.contains(failed.spec_hash())) continue;
    v1::FailedSpec record = failed;
    *record.mutable_at() = base::ToProto(now);
    known[failed.spec_hash()] = record;
    batch_.put_failed_specs.push_back(record);
    MarkDirty(failed.resource());
    const v1::InventoryEntry entry = EntryOf(failed.resource());
    if (entry.has_applied() && entry.applied_hash() == failed.spec_hash()) {
      PutHistory(entry, v1::SpecRecord::OUTCOME_FAILED, failed.reason(), now);
    }
    Emit(now, failed.resource(), "spec-failed", failed.reason(), true);
    changed = true;
  }
  return changed;
}

bool Core::ForgetEntries(absl::Time now) {
  bool changed = false;
  for (const v1::Step& step : result_.plan.steps()) {
    if (step.action() != v1::STEP_ACTION_FORGET || step.gate().kind() != v1::Gate::KIND_OPEN) {
      continue;
    }
    Emit(now, step.resource(), "forgotten", step.reason());
    ForgetResource(step.resource());
    changed = true;
  }
  return changed;
}

bool Core::UpdateEntries(const std::vector<resources::ResourceId>& ids, absl::Time now) {
  bool changed = false;
  for (const resources::ResourceId& id : ids) {
    const auto decision = result_.decisions.find(id);
    if (decision == result_.decisions.end()) continue;
    changed = UpdateEntry(*decision->second, now) || changed;
  }
  return changed;
}

bool Core::UpdateEntry(const sync::Decision& decision, absl::Time now) {
  const std::string resource = decision.id.ToString();
  const auto known = input_.inventory.find(resource);
  const auto declared = input_.desired->resources.find(decision.id);
  const sync::DesiredResource* desired =
      declared == input_.desired->resources.end() ? nullptr : declared->second.get();
  if (known == input_.inventory.end() || !known->second->has_applied()) {
    // What runs with our label and the wanted hash is ours although the store does not know it
    // (a lost store), or knows only that it was to be made: it is taken into the inventory.
    const bool running_ours =
        desired != nullptr && desired->spec != nullptr && !decision.live_hash.empty() &&
        decision.live_hash == decision.target_hash && !input_.busy.contains(resource);
    if (!running_ours) return false;
    v1::InventoryEntry entry = EntryOf(resource);
    entry.set_origin(desired->origin);
    entry.set_server(desired->server);
    entry.set_name(desired->docker_name);
    *entry.mutable_applied() = *desired->spec;
    entry.set_applied_hash(decision.live_hash);
    entry.set_applied_revision(desired->revision);
    entry.set_build(desired->image_build);
    for (const auto& after : desired->after) entry.add_after(after.ToString());
    PutEntry(std::move(entry));
    return true;
  }
  if (input_.busy.contains(resource)) return false;
  const v1::InventoryEntry& before = *known->second;
  v1::InventoryEntry entry = before;
  if (!entry.container_id().empty() && entry.section_hash().empty()) {
    // The container as it was made is what later looks are compared with.
    const v1::Container* container = CurrentContainer(input_, entry.server(), entry.container_id());
    if (container != nullptr && container->state() == v1::CONTAINER_STATE_RUNNING) {
      *entry.mutable_section_hash() = container->section_hash();
    }
  }
  if (decision.satisfied && decision.live_hash == entry.applied_hash() &&
      entry.good_hash() != entry.applied_hash()) {
    *entry.mutable_good() = entry.applied();
    *entry.mutable_good_files() = entry.applied_files();
    PutHistory(entry, v1::SpecRecord::OUTCOME_HEALTHY, "", now);
    entry.set_good_hash(entry.applied_hash());
    entry.set_good_revision(entry.applied_revision());
    ForgetFailure(resource, entry.good_hash());
  }
  if (desired != nullptr && desired->spec != nullptr && IsAsDeclared(decision, *desired->spec) &&
      !decision.uses_good_spec && decision.live_hash == desired->spec_hash) {
    // Fields that need no action (description, after, alerts) follow silently.
    entry.set_origin(desired->origin);
    if (entry.applied().SerializeAsString() != desired->spec->SerializeAsString()) {
      *entry.mutable_applied() = *desired->spec;
      if (entry.good_hash() == entry.applied_hash()) *entry.mutable_good() = *desired->spec;
    }
    entry.set_build(desired->image_build);
    entry.clear_after();
    for (const auto& after : desired->after) entry.add_after(after.ToString());
  }
  if (entry.condition() != decision.condition) {
    if (decision.condition == v1::CONDITION_CONVERGED) {
      Emit(now, resource, "converged", decision.reason.empty() ? "converged" : decision.reason);
    } else if (decision.condition == v1::CONDITION_DEGRADED ||
               decision.condition == v1::CONDITION_CRASH_LOOP ||
               decision.condition == v1::CONDITION_INVALID) {
      Emit(now, resource, "degraded", decision.reason, true);
    }
    entry.set_condition(decision.condition);
    *entry.mutable_condition_since() = base::ToProto(now);
  }
  if (google::protobuf::util::MessageDifferencer::Equals(entry, before)) return false;
  PutEntry(std::move(entry));
  return true;
}

bool Core::HasRoom(const Load& load, const std::string& server) const {
  const auto at = load.find(server);
  return running_.size() < options_.fleet_limit &&
         (at == load.end() || at->second < HostLimit(server));
}

void Core::StartOpenSteps(absl::Time now, CoreOutput& output) {
  Load load;
  for (const auto& [id, running] : running_) ++load[running.record.server()];
  if (HoldForPreflight(now, load, output)) {
    Settle(now);
    HoldForPreflight(now, load, output);
  }
  uint32_t open = 0;
  for (v1::Step& step : *result_.plan.mutable_steps()) {
    // A gate for the host's limit was set by an earlier pass and is judged anew.
    const bool may_start = step.gate().kind() == v1::Gate::KIND_OPEN ||
                           step.gate().kind() == v1::Gate::KIND_HOST_LIMIT;
    if (!SendsAction(step.action()) || !may_start) continue;
    if (input_.busy.contains(step.resource())) continue;
    ++open;
    if (!HasRoom(load, step.server())) {
      step.mutable_gate()->set_kind(v1::Gate::KIND_HOST_LIMIT);
      step.mutable_gate()->set_reason(absl::StrCat("waits for other actions on ", step.server()));
      continue;
    }
    if (StartStep(step, now, output)) ++load[step.server()];
  }
  options_.observer->OnQueueDepth(open);
}

absl::StatusOr<StepAction> Core::WithLogins(absl::StatusOr<StepAction> computed) const {
  if (!computed.ok()) return computed;
  static const auto* const kNone = new controller::Accounts();
  RETURN_IF_ERROR(AddLogins(options_.accounts == nullptr ? *kNone : *options_.accounts,
                            computed->spec, &computed->action));
  return computed;
}

bool Core::StartStep(const v1::Step& step, absl::Time now, CoreOutput& output) {
  const auto id = resources::ResourceId::Parse(step.resource());
  if (!id.has_value()) return false;
  const auto decision = result_.decisions.find(*id);
  if (decision == result_.decisions.end()) return false;
  absl::StatusOr<StepAction> computed =
      WithLogins(ComputeStepAction(input_, step, *decision->second));
  if (!computed.ok()) {
    NoteFailedStep(step, computed.status(), now);
    never_sent_.insert(step.resource());
    return false;
  }
  ApplyStopWish(step, computed->action);
  v1::ActionRecord record;
  *record.mutable_action() = std::move(computed->action);
  record.set_server(computed->server);
  record.set_step(step.action());
  record.set_revision(step.revision());
  if (decision->second->uses_good_spec) {
    // The revision that its spec is of, not the one in force.
    const v1::InventoryEntry entry = EntryOf(step.resource());
    record.set_revision(std::string(sync::StandInOf(entry, step.target_hash()).revision));
  }
  record.set_sync(step.sync());
  if (computed->spec.spec_case() != v1::Resource::SPEC_NOT_SET) {
    *record.mutable_spec() = std::move(computed->spec);
  }
  if (step.heal()) {
    if (healing_.emplace(step.resource(), now).second) {
      options_.observer->OnDriftFound(id->kind);
      Emit(now, step.resource(), "drift-found", step.reason(), true);
    }
    // Counted before the attempt, so that a crash in between cannot hide it.
    if (step.action() == v1::STEP_ACTION_START || step.action() == v1::STEP_ACTION_RESTART ||
        step.action() == v1::STEP_ACTION_CREATE) {
      v1::InventoryEntry entry = EntryOf(step.resource());
      if (entry.has_applied()) {
        *entry.add_restarts() = base::ToProto(now);
        while (entry.restarts_size() > 32) entry.mutable_restarts()->DeleteSubrange(0, 1);
        PutEntry(std::move(entry));
      }
    }
  }
  ClaimBeforeMaking(*id, record);
  Emit(now, step.resource(), "step-started",
       absl::StrCat(v1::StepAction_Name(step.action()).substr(12), ": ", step.reason()));
  Send(std::move(record), now, output);
  return true;
}

// A container may be made without anybody hearing of it (the host dies, the declaration goes): with
// an entry it is ours to remove.
void Core::ClaimBeforeMaking(const resources::ResourceId& id, const v1::ActionRecord& record) {
  const auto desired = input_.desired->resources.find(id);
  if (!sync::MakesContainers(record.step()) || desired == input_.desired->resources.end()) return;
  const auto known = input_.inventory.find(id.ToString());
  if (known != input_.inventory.end() && known->second->has_applied()) return;
  v1::InventoryEntry entry = EntryOf(id.ToString());
  entry.set_origin(desired->second->origin);
  entry.set_server(record.server());
  entry.set_name(desired->second->docker_name);
  entry.clear_after();
  for (const auto& after : desired->second->after) entry.add_after(after.ToString());
  PutEntry(std::move(entry));
}

void Core::Send(v1::ActionRecord record, absl::Time now, CoreOutput& output) {
  v1::Action& action = *record.mutable_action();
  action.set_id(base::NewId(random_));
  *record.mutable_created_at() = base::ToProto(now);
  record.set_term(options_.term);
  Occupy(record);
  // Interpolated values may be secret: the record keeps what identifies the action, the store
  // never sees its body. After a crash the agent continues from its own journal.
  v1::ActionRecord stored = record;
  stored.mutable_action()->clear_body();
  stored.mutable_action()->clear_secrets();
  batch_.put_actions.push_back(std::move(stored));
  const auto session = sessions_.find(record.server());
  Report(record, RequestReport::State::kSent);
  output.dispatch.push_back(
      {record.server(), action, session == sessions_.end() ? 0 : session->second});
  running_[action.id()] = Running{.record = std::move(record)};
}

void Core::StartRestarts(absl::Time now, CoreOutput& output) {
  for (auto wish = restarts_.begin(); wish != restarts_.end();) {
    if (input_.busy.contains(wish->first)) {
      ++wish;
      continue;
    }
    const auto entry = input_.inventory.find(wish->first);
    v1::ActionRecord record;
    record.mutable_request_ids()->Assign(wish->second.request_ids.begin(),
                                         wish->second.request_ids.end());
    if (entry == input_.inventory.end()) {
      v1::ActionOutcome nothing;
      nothing.set_status(v1::ACTION_STATUS_FAILED);
      nothing.set_message("it was never deployed");
      Report(record, RequestReport::State::kEnded, nothing);
    } else {
      record.set_server(entry->second->server());
      record.set_step(v1::STEP_ACTION_RESTART);
      record.set_operator_request(true);
      record.set_who(wish->second.request.who);
      v1::Action& action = *record.mutable_action();
      action.set_resource(wish->first);
      action.set_spec_hash(entry->second->applied_hash());
      action.set_guarantee(v1::ACTION_GUARANTEE_ONCE);
      *action.mutable_deadline() =
          base::ToProto(DeadlineOf(input_, wish->first, v1::STEP_ACTION_RESTART));
      action.mutable_restart()->set_timeout_seconds(StopTermsOf(input_, wish->first).seconds);
      Emit(now, wish->first, "restarted", absl::StrCat("restart by ", wish->second.request.who));
      Send(std::move(record), now, output);
    }
    wish = restarts_.erase(wish);
  }
}

}  // namespace fairlead::loop
