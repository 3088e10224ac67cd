#include "cli/convergence.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "cli/render/live_region.h"
#include "cli/render/progress.h"
#include "cli/render/resource_text.h"

namespace fairlead::cli {
namespace {

// Events tell at once; the look in between is for changes that have none.
constexpr absl::Duration kLookInterval = absl::Seconds(1);
// After an event more follow at once; this long without one is the end of a burst.
constexpr absl::Duration kQuiet = absl::Milliseconds(20);

// Prints what the stream brings. Past events are left out.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(Session& session) : session_(session), live_(session.is_live()) {}

  void OnItem(const v1::WatchResponse& item) {
    if (item.has_caught_up()) caught_up_ = true;
    if (item.has_progress()) {
      progress_.OnProgress(item.progress(), session_.environment().clock.Now());
      if (!live_) PrintPhase(item.progress());
    }
    if (!item.has_event() || !caught_up_) return;
    progress_.OnEvent(item.event());
    if (live_) return;
    phases_.erase(item.event().resource());
    session_.Print(absl::StrCat(RenderEvent(item.event(), session_.text_options()), "\n"));
  }

  void OnStatus(const v1::GetStatusResponse& status) {
    progress_.OnStatus(status, session_.environment().clock.Now());
    Show();
  }

  void Show() {
    if (!live_) return;
    const TextOptions options = session_.text_options();
    const ScreenSize size = session_.live_size();
    std::string finished;
    for (const std::string& line : progress_.TakeFinished(options, size)) {
      absl::StrAppend(&finished, line, "\n");
    }
    session_.Print(region_.Draw(finished, progress_.Lines(options, size)));
  }

 private:
  // One line when an action comes to another phase: what it tells within one is much.
  void PrintPhase(const v1::ActionProgress& progress) {
    if (progress.resource().empty()) return;
    std::string& last = phases_[progress.resource()];
    if (last == progress.phase()) return;
    last = progress.phase();
    v1::Event event;
    event.set_resource(progress.resource());
    event.set_type(progress.phase());
    event.set_message(progress.detail().substr(0, progress.detail().find('\n')));
    *event.mutable_at() = base::ToProto(session_.environment().clock.Now());
    session_.Print(absl::StrCat(RenderEvent(event, session_.text_options()), "\n"));
  }

  Session& session_;
  const bool live_;
  bool caught_up_ = false;
  Progress progress_;
  LiveRegion region_;
  // Elsewhere than on a terminal: the phase printed last, by resource.
  std::map<std::string, std::string> phases_;
};

bool IsConverged(const v1::GetStatusResponse& status, const std::string& sync) {
  if (sync.empty()) return status.converged();
  return std::any_of(status.syncs().begin(), status.syncs().end(), [&](const v1::SyncStatus& s) {
    return s.name() == sync && s.state() == "converged";
  });
}

// A state that needs a person, with nothing on its way.
bool IsSettled(const v1::GetStatusResponse& status) {
  const bool busy = std::any_of(status.not_ok().begin(), status.not_ok().end(),
                                [](const v1::ResourceStatus& resource) {
                                  return resource.condition() == v1::CONDITION_PROGRESSING;
                                });
  const bool bad =
      std::any_of(status.syncs().begin(), status.syncs().end(), [](const v1::SyncStatus& sync) {
        return sync.state() == "degraded" || sync.state() == "failed";
      });
  return bad && !busy;
}

}  // namespace

std::unique_ptr<EventStream> WatchProgress(ControllerClient& controller) {
  v1::WatchRequest request;
  request.set_watch(true);
  request.set_progress(true);
  // Past events are not shown; 0 would ask for a hundred.
  request.set_tail(1);
  return controller.Watch(request);
}

absl::StatusOr<ConvergenceResult> AwaitConvergence(Session& session, EventStream& events,
                                                   const ConvergenceOptions& options) {
  const base::Clock& clock = session.environment().clock;
  const absl::Time deadline = clock.Now() + options.timeout;
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  v1::GetStatusRequest request;
  request.set_sync(options.sync);
  ProgressPrinter printer(session);
  ConvergenceResult result;
  while (true) {
    ASSIGN_OR_RETURN(result.last, controller->GetStatus(request));
    const bool counts = result.last.generation() > options.after_generation;
    printer.OnStatus(result.last);
    result.outcome = Convergence::kTimedOut;
    if (counts && IsConverged(result.last, options.sync)) {
      result.outcome = Convergence::kConverged;
      return result;
    }
    if (counts && options.stop_when_settled && IsSettled(result.last)) {
      result.outcome = Convergence::kSettled;
      return result;
    }
    absl::Duration patience = std::min(kLookInterval, deadline - clock.Now());
    if (patience <= absl::ZeroDuration()) return result;
    const absl::Time look_by = clock.Now() + patience;
    v1::WatchResponse item;
    EventStream::Outcome outcome = events.Next(patience, item);
    while (outcome == EventStream::Outcome::kItem) {
      printer.OnItem(item);
      if (clock.Now() >= look_by) break;
      outcome = events.Next(kQuiet, item);
    }
    if (outcome == EventStream::Outcome::kEnd) {
      RETURN_IF_ERROR(events.status());
      return absl::UnavailableError(absl::StrCat("the controller at ", controller->address(),
                                                 " ended the stream of events. Try again."));
    }
    printer.Show();
  }
}

}  // namespace fairlead::cli
