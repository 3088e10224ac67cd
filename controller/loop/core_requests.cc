// What operators ask for.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/core.h"
#include "resources/kind_table.h"

namespace fairlead::loop {
namespace {

// Enough of a plan's id to mean one plan.
constexpr std::size_t kShortestPlanId = 6;

std::string Because(const std::string& why) { return why.empty() ? "" : absl::StrCat(": ", why); }

}  // namespace

absl::Status Core::CheckDeploys(const std::string& resource) const {
  const auto id = resources::ResourceId::Parse(resource);
  const bool declared = id.has_value() && input_.desired->resources.contains(*id);
  if (!declared && !input_.inventory.contains(resource)) {
    return absl::NotFoundError(absl::StrCat("no resource ", resource));
  }
  const resources::Kind* kind = resources::FindKind(id->kind);
  if (kind == nullptr || !kind->deploys) {
    return absl::FailedPreconditionError(absl::StrCat(resource, " has no containers to act on"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Core::OnRequest(const OperatorRequest& request, absl::Time now) {
  // What a run of a build has failed at is tried again as a spec is.
  const bool can_retry = request.kind == OperatorRequest::Kind::kRetry &&
                         input_.failed_specs.contains(request.resource);
  if (!can_retry) RETURN_IF_ERROR(CheckDeploys(request.resource));
  MarkDirty(request.resource);
  switch (request.kind) {
    case OperatorRequest::Kind::kStop:
      ActOnce(request);
      stop_wishes_.erase(request.resource);
      if (!request.stop_signal.empty() || request.stop_seconds.has_value()) {
        stop_wishes_[request.resource] = request;
      }
      return Hold(request, now);
    case OperatorRequest::Kind::kStart:
      ActOnce(request);
      return EndHold(request, now);
    case OperatorRequest::Kind::kRelease:
      return EndHold(request, now);
    case OperatorRequest::Kind::kRestart:
      AddRestart(request);
      return absl::StrCat(request.resource, " is restarted");
    case OperatorRequest::Kind::kRetry:
      return Retry(request, now);
    case OperatorRequest::Kind::kCancel:
      return Cancel(request, now);
    case OperatorRequest::Kind::kPause:
      return Hold(request, now);
    case OperatorRequest::Kind::kUnpause: {
      const auto hold = input_.holds.find(request.resource);
      const bool paused = hold != input_.holds.end() && hold->second.kind() == v1::Hold::KIND_PAUSE;
      if (paused) return EndHold(request, now);
      return absl::StrCat(request.resource, " was not paused");
    }
    case OperatorRequest::Kind::kDeploy:
      Retry(request, now);
      EndHold(request, now);
      TakeNewestImage(request.resource);
      ActOnce(request);
      return absl::StrCat(request.resource, " is deployed");
  }
  return absl::InternalError("unknown request");
}

void Core::OnWithdrawn(const OperatorRequest& request) {
  const auto acting = deploy_requests_.find(request.resource);
  if (acting != deploy_requests_.end() && acting->second.erase(request.request_id) != 0 &&
      acting->second.empty()) {
    deploy_requests_.erase(acting);
    input_.deploy_requests.erase(request.resource);
    MarkDirty(request.resource);
  }
  std::erase_if(stop_wishes_, [&request](const auto& wish) {
    return wish.second.request_id == request.request_id;
  });
  std::erase_if(jobs_, [&request](const WaitingJob& waiting) {
    return waiting.job.request_id == request.request_id;
  });
  const auto wish = restarts_.find(request.resource);
  if (wish == restarts_.end()) return;
  const bool was_asked = std::erase(wish->second.request_ids, request.request_id) != 0;
  // Another's wish stays.
  if (was_asked && wish->second.request_ids.empty() &&
      wish->second.request.request_id == request.request_id) {
    restarts_.erase(wish);
  }
}

void Core::ApplyStopWish(const v1::Step& step, v1::Action& action) const {
  const auto wish = stop_wishes_.find(step.resource());
  if (wish == stop_wishes_.end() || !action.has_stop()) return;
  v1::StopContainers& stop = *action.mutable_stop();
  if (!wish->second.stop_signal.empty()) stop.set_signal(wish->second.stop_signal);
  if (!wish->second.stop_seconds.has_value()) return;
  // The deadline is made for the declared time.
  const int32_t more = std::max(0, *wish->second.stop_seconds - stop.timeout_seconds());
  *action.mutable_deadline() =
      base::ToProto(base::FromProto(action.deadline()) + absl::Seconds(more));
  stop.set_timeout_seconds(*wish->second.stop_seconds);
}

void Core::ActOnce(const OperatorRequest& request) {
  if (request.request_id.empty()) return;
  deploy_requests_[request.resource].insert(request.request_id);
  input_.deploy_requests.insert(request.resource);
}

void Core::AddRestart(const OperatorRequest& request) {
  RestartWish& wish = restarts_[request.resource];
  // A wish without an id is a person's: it outlives the others.
  if (wish.request.resource.empty() || request.request_id.empty()) wish.request = request;
  if (!request.request_id.empty()) wish.request_ids.push_back(request.request_id);
}

void Core::Report(const v1::ActionRecord& record, RequestReport::State state,
                  const v1::ActionOutcome& outcome) {
  for (const std::string& id : record.request_ids()) {
    RequestReport report{
        .request_id = id, .state = state, .action_id = record.action().id(), .outcome = outcome};
    if (record.job()) {
      report.server = record.server();
      report.spec = record.spec();
      report.spec_hash = record.action().spec_hash();
    }
    reports_.push_back(std::move(report));
  }
}

std::string Core::Hold(const OperatorRequest& request, absl::Time now) {
  v1::Hold hold;
  hold.set_resource(request.resource);
  const bool pause = request.kind == OperatorRequest::Kind::kPause;
  hold.set_kind(pause ? v1::Hold::KIND_PAUSE : v1::Hold::KIND_STOP);
  hold.set_who(request.who);
  hold.set_why(request.why);
  *hold.mutable_at() = base::ToProto(now);
  const bool expires = request.expires_at != absl::InfiniteFuture();
  if (expires) *hold.mutable_expires_at() = base::ToProto(request.expires_at);
  input_.holds[request.resource] = hold;
  batch_.put_holds.push_back(hold);
  Emit(now, request.resource, "held",
       absl::StrCat(pause ? "paused by " : "stopped by ", request.who, Because(request.why)));
  return absl::StrCat(
      pause ? "pause" : "stop", " hold set on ", request.resource, "; it stays ",
      expires ? absl::StrCat("for ", absl::FormatDuration(request.expires_at - now), ", or ") : "",
      "until: fairlead release ", request.resource);
}

std::string Core::EndHold(const OperatorRequest& request, absl::Time now) {
  const bool held = input_.holds.erase(request.resource) != 0;
  if (held) {
    batch_.delete_holds.push_back(request.resource);
    Emit(now, request.resource, "released", absl::StrCat("hold ended by ", request.who));
  }
  if (request.kind == OperatorRequest::Kind::kRelease) {
    return held ? absl::StrCat("hold on ", request.resource, " ended")
                : absl::StrCat(request.resource, " has no hold");
  }
  ForgetAttempt(request.resource);
  v1::InventoryEntry entry = EntryOf(request.resource);
  if (entry.restarts_size() > 0) {
    entry.clear_restarts();
    PutEntry(std::move(entry));
  }
  return absl::StrCat(request.resource, " is started");
}

void Core::TakeNewestImage(const std::string& resource) {
  v1::InventoryEntry entry = EntryOf(resource);
  if (entry.build().empty()) return;
  // Then nothing is known that would have to stay.
  entry.clear_build();
  PutEntry(std::move(entry));
}

std::string Core::Retry(const OperatorRequest& request, absl::Time now) {
  const bool had_failed = input_.failed_specs.erase(request.resource) != 0;
  const bool had_attempt = ForgetAttempt(request.resource);
  series_.erase(request.resource);
  if (had_failed) batch_.delete_failed_specs.emplace_back(request.resource, "");
  if (!had_failed && !had_attempt) return absl::StrCat(request.resource, " has no failed spec");
  Emit(now, request.resource, "retried", absl::StrCat("failed spec tried again by ", request.who));
  return absl::StrCat(request.resource, " is tried again");
}

absl::StatusOr<std::string> Core::Cancel(const OperatorRequest& request, absl::Time now) {
  const auto running = std::find_if(running_.begin(), running_.end(), [&](const auto& item) {
    return item.second.record.action().resource() == request.resource;
  });
  if (running == running_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("nothing is under way for ", request.resource));
  }
  const std::string& server = running->second.record.server();
  const auto host = input_.live->hosts.find(server);
  if (host == input_.live->hosts.end() || !host->second->online) {
    return absl::FailedPreconditionError(
        absl::StrCat("server ", server, " is offline; the action ends when its agent is back"));
  }
  running->second.cancelled_by = request.who;
  cancel_.push_back(
      {server, running->first, absl::StrCat("cancelled by ", request.who, Because(request.why))});
  Emit(now, request.resource, "cancelled",
       absl::StrCat("action cancelled by ", request.who, Because(request.why)));
  return absl::StrCat("the action on ", request.resource,
                      " is ended; it is tried again with: fairlead retry ", request.resource);
}

absl::StatusOr<std::string> Core::OnRollback(const RollbackRequest& request, absl::Time now) {
  const std::string& resource = request.target.resource();
  RETURN_IF_ERROR(CheckDeploys(resource));
  const auto id = resources::ResourceId::Parse(resource);
  const auto desired = input_.desired->resources.find(*id);
  if (desired == input_.desired->resources.end()) {
    return absl::FailedPreconditionError(absl::StrCat(resource, " is declared nowhere any more"));
  }
  if (desired->second->invalid || desired->second->spec_hash.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the declaration of ", resource, " is invalid: its last good spec is in force already"));
  }
  const std::string& declared = desired->second->spec_hash;
  if (declared == request.target.spec_hash()) {
    return absl::FailedPreconditionError(
        absl::StrCat("that spec of ", resource,
                     " is the declared one; to try it again: fairlead retry ", resource));
  }
  v1::InventoryEntry entry = EntryOf(resource);
  if (!entry.has_applied()) {
    return absl::FailedPreconditionError(absl::StrCat(resource, " was never applied"));
  }
  v1::FailedSpec aside;
  aside.set_resource(resource);
  aside.set_spec_hash(declared);
  aside.set_by(request.who);
  aside.set_reason(absl::StrCat("rolled back by ", request.who, Because(request.why)));
  aside.set_revision(sync::RevisionOf(input_, *desired->second));
  *aside.mutable_at() = base::ToProto(now);
  auto& failed = input_.failed_specs[resource];
  failed.erase(request.target.spec_hash());
  batch_.delete_failed_specs.emplace_back(resource, request.target.spec_hash());
  failed[declared] = aside;
  batch_.put_failed_specs.push_back(aside);
  ForgetAttempt(resource);
  if (entry.applied_hash() == declared) {
    PutHistory(entry, v1::SpecRecord::OUTCOME_PUT_ASIDE, aside.reason(), now);
  }
  *entry.mutable_good() = request.target.spec();
  *entry.mutable_good_files() = request.target.files();
  entry.set_good_hash(request.target.spec_hash());
  entry.set_good_revision(request.target.revision());
  PutEntry(std::move(entry));
  MarkDirty(resource);
  Emit(now, resource, "rollback-asked",
       absl::StrCat("back to ", request.target.revision().substr(0, 7), " by ", request.who,
                    Because(request.why)),
       true);
  return absl::StrCat(resource, " goes back to ", request.target.revision().substr(0, 7),
                      "; what is declared is taken up again when it changes, or with: fairlead "
                      "retry ",
                      resource);
}

absl::StatusOr<std::vector<std::string>> Core::OnApprove(const std::string& plan_id,
                                                         const std::string& who,
                                                         const std::string& why, absl::Time now) {
  const v1::Plan& plan = result_.plan;
  if (plan_id.size() < kShortestPlanId || !absl::StartsWith(plan.id(), plan_id)) {
    return absl::FailedPreconditionError(
        absl::StrCat("plan ", plan_id, " is not what would happen now; that is plan ", plan.id(),
                     ". Look again with: fairlead plan"));
  }
  std::vector<std::string> resources;
  for (const v1::Step& step : plan.steps()) {
    if (step.gate().kind() != v1::Gate::KIND_APPROVAL) continue;
    v1::Approval approval = sync::ApprovalOf(step);
    approval.set_who(who);
    approval.set_why(why);
    *approval.mutable_at() = base::ToProto(now);
    input_.approvals[step.resource()] = approval;
    batch_.put_approvals.push_back(std::move(approval));
    MarkDirty(step.resource());
    Emit(now, step.resource(), "approved", absl::StrCat("approved by ", who, Because(why)));
    resources.push_back(step.resource());
  }
  if (resources.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("nothing in plan ", plan.id(), " waits for approval"));
  }
  return resources;
}

}  // namespace fairlead::loop
