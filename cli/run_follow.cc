#include "cli/run_follow.h"

#include <memory>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "cli/convergence.h"
#include "cli/render/live_region.h"
#include "cli/render/run_progress.h"
#include "cli/render/run_text.h"

namespace fairlead::cli {
namespace {

// So often what is under way is looked at, also when the log is silent.
constexpr absl::Duration kLookInterval = absl::Milliseconds(100);
// Of one stream, before the screen is drawn.
constexpr int kMostItems = 200;

// Takes what has come already. Whatever ends these streams, the log goes on without them.
template <typename Item, typename Take>
void Drain(ItemStream<Item>& stream, const Take& take) {
  Item item;
  for (int i = 0; i < kMostItems; ++i) {
    if (stream.Next(absl::ZeroDuration(), item) != ItemStream<Item>::Outcome::kItem) return;
    take(item);
  }
}

// The three streams of one run, and what is on the screen of it.
class Follower {
 public:
  Follower(Session& session, ControllerClient& controller, const std::string& id)
      : session_(session),
        events_(WatchProgress(controller)),
        runs_(controller.StreamRuns(RunsOf(id))) {}

  void Look() {
    Drain<v1::WatchResponse>(*events_, [this](const v1::WatchResponse& item) {
      if (item.has_progress()) progress_.OnProgress(item.progress());
    });
    Drain<v1::WatchRunsResponse>(*runs_, [this](const v1::WatchRunsResponse& item) {
      if (item.has_run()) progress_.OnRun(item.run());
    });
  }
  void Draw(absl::string_view above) {
    session_.Print(
        region_.Draw(above, progress_.Lines(session_.text_options(), session_.live_size())));
  }
  void Clear(absl::string_view above) { session_.Print(region_.Draw(above, {})); }

 private:
  static v1::WatchRunsRequest RunsOf(const std::string& id) {
    v1::WatchRunsRequest request;
    request.set_id(id);
    return request;
  }

  Session& session_;
  const std::unique_ptr<EventStream> events_;
  const std::unique_ptr<RunStream> runs_;
  RunProgress progress_;
  LiveRegion region_;
};

}  // namespace

absl::Status FollowLive(Session& session, const std::string& id, int64_t tail, bool with_time) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  v1::RunLogRequest request;
  request.set_id(id);
  request.set_follow(true);
  request.set_tail(tail);
  const std::unique_ptr<RunLogStream> log = controller->StreamRunLog(request);
  Follower follower(session, *controller, id);
  while (true) {
    std::string above;
    v1::RunLogResponse lines;
    RunLogStream::Outcome outcome = log->Next(kLookInterval, lines);
    for (int i = 0; outcome == RunLogStream::Outcome::kItem && i < kMostItems; ++i) {
      absl::StrAppend(&above, RenderRunLines(lines, with_time, session.text_options()));
      outcome = log->Next(absl::ZeroDuration(), lines);
    }
    // The last item of a full round.
    if (outcome == RunLogStream::Outcome::kItem) {
      absl::StrAppend(&above, RenderRunLines(lines, with_time, session.text_options()));
    }
    if (outcome == RunLogStream::Outcome::kEnd) {
      follower.Clear(above);
      return log->status();
    }
    follower.Look();
    follower.Draw(above);
  }
}

}  // namespace fairlead::cli
