#include "controller/actions/run_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::actions {
namespace {

template <typename Record>
void Append(const std::vector<Record>& from, std::vector<Record>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

void AddMade(const store::StoreBatch& from, store::StoreBatch& to) {
  Append(from.put_builds, to.put_builds);
  Append(from.put_repos, to.put_repos);
  Append(from.put_procedures, to.put_procedures);
  Append(from.put_failed_specs, to.put_failed_specs);
  Append(from.delete_failed_specs, to.delete_failed_specs);
}

// It is what was built last, or what could not be built as it is declared.
bool IsDealtWith(const loop::LoopView& view, const std::string& build, const std::string& commit,
                 const std::string& spec_hash) {
  const auto built = view.input.builds.find(build);
  if (built != view.input.builds.end() && built->second.commit() == commit) return true;
  const auto failures = view.input.failed_specs.find(build);
  if (failures == view.input.failed_specs.end()) return false;
  const auto failed = failures->second.find(spec_hash);
  return failed != failures->second.end() && failed->second.revision() == commit;
}

}  // namespace

RunDriver::RunDriver(const store::StoreImage& image, base::Random& random, absl::TimeZone local,
                     std::function<void(const FetchOrder&)> fetch)
    : engine_(image, random), scheduler_(image, local), fetch_(std::move(fetch)) {}

void RunDriver::BeginDue(loop::Core& core, absl::Time now) {
  const loop::LoopView& view = *core.view();
  for (const DueTime& due : scheduler_.Advance(*view.input.desired, now)) {
    v1::Event event;
    event.set_resource(due.resource);
    event.set_type("schedule-skipped");
    event.set_warning(true);
    if (engine_.IsOpen(due.resource)) {
      event.set_message("its time has come, but a run of it is still under way");
      core.AddEvent(std::move(event), now);
      continue;
    }
    const absl::StatusOr<v1::Run> run = engine_.Start(
        {.resource = due.resource,
         .trigger = v1::RUN_TRIGGER_SCHEDULE,
         .who = "its schedule",
         .why = due.missed ? absl::StrCat("missed at ", absl::FormatTime(absl::RFC3339_sec, due.at,
                                                                         absl::UTCTimeZone()))
                           : "",
         .parent = ""},
        view, now);
    if (run.ok()) {
      scheduler_.NoteRun(due.resource, now);
      continue;
    }
    event.set_message(std::string(run.status().message()));
    core.AddEvent(std::move(event), now);
  }
}

void RunDriver::BeginNeeded(const loop::LoopView& view, absl::Time now) {
  needed_ = false;
  if (now < needed_at_) return;
  for (const sync::NeededRun& need : view.result.needed_runs) {
    if (engine_.IsOpen(need.resource)) continue;
    const absl::Status status = engine_
                                    .Start({.resource = need.resource,
                                            .trigger = v1::RUN_TRIGGER_NEEDED,
                                            .who = need.by,
                                            .why = "it waits for it",
                                            .parent = ""},
                                           view, now)
                                    .status();
    if (!status.ok()) needed_at_ = now + absl::Seconds(30);
  }
}

void RunDriver::BeginAtHeads(loop::Core& core, absl::Time now) {
  const loop::LoopView& view = *core.view();
  std::map<std::string, std::string> later;
  for (auto& [build, commit] : std::exchange(heads_, {})) {
    const auto id = resources::ResourceId::Parse(build);
    const auto desired = view.input.desired->resources.find(*id);
    const bool declared = desired != view.input.desired->resources.end();
    // What runs may be of this commit: its end says so.
    if (engine_.IsOpen(build) || (!declared && !view.input.desired->complete)) {
      later[build] = commit;
      continue;
    }
    if (!declared || IsDealtWith(view, build, commit, desired->second->spec_hash)) continue;
    const absl::Status status = engine_
                                    .Start({.resource = build,
                                            .trigger = v1::RUN_TRIGGER_POLL,
                                            .who = "its branch",
                                            .why = absl::StrCat("at ", commit.substr(0, 7)),
                                            .parent = "",
                                            .head = commit},
                                           view, now)
                                    .status();
    if (status.ok()) continue;
    v1::Event event;
    event.set_resource(build);
    event.set_type("poll-refused");
    event.set_warning(true);
    event.set_message(std::string(status.message()));
    core.AddEvent(std::move(event), now);
  }
  heads_ = std::move(later);
}

void RunDriver::OnActionLog(const v1::ActionLog& log, absl::Time now) {
  engine_.OnActionLog(log, now);
}

void RunDriver::OnProgress(const v1::ActionProgress& progress, absl::Time /*now*/) {
  engine_.OnProgress(progress);
}

void RunDriver::BeforePass(loop::Core& core, absl::Time now) {
  // Before the first pass nothing is known.
  if (core.view()->generation == 0) return;
  BeginDue(core, now);
  BeginNeeded(*core.view(), now);
  BeginAtHeads(core, now);
  RunCommands commands = engine_.Advance(*core.view(), now);
  for (const loop::OperatorRequest& request : commands.withdraw) core.OnWithdrawn(request);
  for (const loop::OperatorRequest& request : commands.requests) {
    const absl::StatusOr<std::string> answer = core.OnRequest(request, now);
    if (!answer.ok()) engine_.OnRefused(request.request_id, answer.status(), now);
  }
  for (loop::HostJob& job : commands.jobs) core.OnJob(std::move(job));
  for (const auto& [request_id, who] : commands.cancel_jobs) {
    core.OnJobCancelled(request_id, who, now);
  }
  // Before the pass: what has ended well is not needed any more.
  made_ = engine_.TakeMade();
  core.OnMade(made_);
  for (v1::Event& event : commands.events) core.AddEvent(std::move(event), now);
  for (const FetchOrder& order : commands.fetches) fetch_(order);
  for (const std::string& request_id : commands.backups) {
    if (backup_) {
      backup_(request_id);
    } else {
      engine_.OnBackedUp(request_id,
                         absl::FailedPreconditionError("this controller keeps no database"), now);
    }
  }
}

void RunDriver::AfterPass(loop::Core& core, loop::CoreOutput& output, absl::Time now) {
  for (const loop::RequestReport& report : output.reports) engine_.OnReport(report, now);
  engine_.Judge(*core.view(), now);
  // In the same transaction as the end of the action that has made it.
  const store::StoreBatch made = engine_.TakeMade();
  core.OnMade(made);
  AddMade(made_, output.batch);
  AddMade(made, output.batch);
  made_ = {};
  for (const sync::NeededRun& need : core.view()->result.needed_runs) {
    needed_ = needed_ || !engine_.IsOpen(need.resource);
  }
  output.run_lines = engine_.TakeLines();
  for (v1::Run& run : engine_.TakeChanged(now)) output.batch.put_runs.push_back(std::move(run));
  scheduler_.TakeChanged(output.batch);
}

absl::Time RunDriver::wake_at() const {
  return std::min(
      {engine_.wake_at(), scheduler_.wake_at(), needed_ ? needed_at_ : absl::InfiniteFuture()});
}

}  // namespace fairlead::actions
