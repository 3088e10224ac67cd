// Resources on their way to what is declared, as lines that change.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cli/render/progress_rows.h"
#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// Collects events, progress and status into one row per resource. Confined to one thread.
class Progress {
 public:
  void OnEvent(const v1::Event& event);
  void OnProgress(const v1::ActionProgress& progress, absl::Time now);
  // The last word: what is no longer among the resources that are not well is done.
  void OnStatus(const v1::GetStatusResponse& status, absl::Time now);

  // In order of first mention, within the screen.
  std::vector<std::string> Lines(const TextOptions& options, const ScreenSize& size) const;
  // A line for each resource that the status has called done; they are among Lines no more, unless
  // something begins anew.
  std::vector<std::string> TakeFinished(const TextOptions& options, const ScreenSize& size);

 private:
  struct Line {
    Mark mark = Mark::kBusy;
    std::string text;
    std::vector<std::string> parts;
    absl::Time started;
    // Of the last change of mark.
    absl::Time ended;
    // By the status, not only by an event.
    bool settled = false;
  };
  Line& LineOf(const std::string& subject, absl::Time at);
  ProgressRow RowOf(const std::string& subject, absl::Time now) const;

  std::vector<std::string> order_;
  std::map<std::string, Line> lines_;
  // What TakeFinished has given.
  std::set<std::string> finished_;
};

}  // namespace fairlead::cli
