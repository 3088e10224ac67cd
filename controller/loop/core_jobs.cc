// What runs ask of hosts beside the plan.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "controller/loop/core.h"
#include "resources/kind_table.h"

namespace fairlead::loop {
namespace {

// What a plan knows of a job: that something is under way.
constexpr v1::StepAction kJobStep = v1::STEP_ACTION_WAIT;

// Of a host itself the plan says nothing that a job would change.
bool ConcernsPlan(const std::string& resource) {
  const auto id = resources::ResourceId::Parse(resource);
  return id.has_value() && id->kind != "server";
}

}  // namespace

void Core::Occupy(const v1::ActionRecord& record) {
  const std::string& resource = record.action().resource();
  if (record.job() && !ConcernsPlan(resource)) return;
  input_.busy[resource] = record.job() ? kJobStep : record.step();
  MarkDirty(resource);
}

void Core::Vacate(const v1::ActionRecord& record) {
  const std::string& resource = record.action().resource();
  if (record.job() && !ConcernsPlan(resource)) return;
  input_.busy.erase(resource);
  MarkDirty(resource);
}

void Core::OnJob(HostJob job) { jobs_.push_back({.job = std::move(job), .told = ""}); }

void Core::OnJobCancelled(const std::string& request_id, const std::string& who, absl::Time now) {
  std::erase_if(jobs_, [&request_id](const WaitingJob& waiting) {
    return waiting.job.request_id == request_id;
  });
  for (auto& [id, running] : running_) {
    const auto& ids = running.record.request_ids();
    const bool is_its =
        running.record.job() && std::find(ids.begin(), ids.end(), request_id) != ids.end();
    if (!is_its || !running.cancelled_by.empty()) continue;
    running.cancelled_by = who;
    cancel_.push_back({running.record.server(), id, absl::StrCat("cancelled by ", who)});
    Emit(now, running.record.action().resource(), "cancelled",
         absl::StrCat("job cancelled by ", who));
  }
}

std::string Core::ObstacleOf(const HostJob& job, const Load& load) const {
  const auto host = input_.live->hosts.find(job.server);
  if (host == input_.live->hosts.end() || !host->second->online) {
    return absl::StrCat("waits for server ", job.server, ", which is offline");
  }
  const std::string& resource = job.action.resource();
  const bool occupied = std::any_of(running_.begin(), running_.end(), [&](const auto& item) {
    return item.second.record.action().resource() == resource;
  });
  if (occupied) return absl::StrCat("waits for another action on ", resource);
  if (!HasRoom(load, job.server)) {
    return absl::StrCat("waits for other actions on ", job.server);
  }
  return "";
}

void Core::StartJobs(absl::Time now, CoreOutput& output) {
  if (jobs_.empty()) return;
  Load load;
  for (const auto& [id, running] : running_) ++load[running.record.server()];
  std::vector<WaitingJob> waiting = std::exchange(jobs_, {});
  for (WaitingJob& one : waiting) {
    std::string obstacle = ObstacleOf(one.job, load);
    if (!obstacle.empty()) {
      if (one.told != obstacle) {
        reports_.push_back({.request_id = one.job.request_id,
                            .state = RequestReport::State::kWaiting,
                            .message = obstacle});
        one.told = std::move(obstacle);
      }
      jobs_.push_back(std::move(one));
      continue;
    }
    ++load[one.job.server];
    v1::ActionRecord record;
    record.set_job(true);
    record.set_server(one.job.server);
    record.set_step(kJobStep);
    record.set_who(one.job.who);
    record.add_request_ids(one.job.request_id);
    if (one.job.spec.spec_case() != v1::Resource::SPEC_NOT_SET) {
      *record.mutable_spec() = std::move(one.job.spec);
    }
    *record.mutable_action() = std::move(one.job.action);
    Emit(now, record.action().resource(), "job-started",
         absl::StrCat(one.job.why, ", on ", one.job.server));
    Send(std::move(record), now, output);
  }
}

void Core::EndJob(const Running& running, const v1::ActionOutcome& outcome, absl::Time now) {
  const std::string& resource = running.record.action().resource();
  const std::string took =
      absl::FormatDuration(absl::Trunc(base::FromProto(outcome.took()), absl::Milliseconds(1)));
  switch (outcome.status()) {
    case v1::ACTION_STATUS_SUCCEEDED:
      Emit(now, resource, "job-succeeded",
           absl::StrCat(outcome.report().empty() ? "done" : outcome.report(), ", took ", took));
      return;
    case v1::ACTION_STATUS_CANCELLED:
      Emit(now, resource, "job-cancelled",
           running.cancelled_by.empty() ? "cancelled"
                                        : absl::StrCat("cancelled by ", running.cancelled_by));
      return;
    case v1::ACTION_STATUS_INTERRUPTED:
      Emit(now, resource, "interrupted", outcome.message(), true);
      return;
    default:
      Emit(now, resource, "job-failed", outcome.message(), true);
  }
}

}  // namespace fairlead::loop
