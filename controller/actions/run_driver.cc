#include "controller/actions/run_driver.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::actions {

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

void RunDriver::BeforePass(loop::Core& core, absl::Time now) {
  // Before the first pass nothing is known.
  if (core.view()->input.desired == nullptr) return;
  BeginDue(core, now);
  RunCommands commands = engine_.Advance(*core.view(), now);
  for (const loop::OperatorRequest& request : commands.withdraw) core.OnWithdrawn(request);
  for (const loop::OperatorRequest& request : commands.requests) {
    const absl::StatusOr<std::string> answer = core.OnRequest(request, now);
    if (!answer.ok()) engine_.OnRefused(request.request_id, answer.status(), now);
  }
  for (v1::Event& event : commands.events) core.AddEvent(std::move(event), now);
  for (const FetchOrder& order : commands.fetches) fetch_(order);
}

void RunDriver::AfterPass(loop::Core& core, loop::CoreOutput& output, absl::Time now) {
  for (const loop::RequestReport& report : output.reports) engine_.OnReport(report, now);
  engine_.Judge(*core.view(), now);
  for (v1::Run& run : engine_.TakeChanged()) output.batch.put_runs.push_back(std::move(run));
  scheduler_.TakeChanged(output.batch);
}

absl::Time RunDriver::wake_at() const { return std::min(engine_.wake_at(), scheduler_.wake_at()); }

}  // namespace fairlead::actions
