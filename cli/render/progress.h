// What is under way, as lines that change.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// Collects events, progress and status into one line per resource. Confined to one thread.
class Progress {
 public:
  void OnEvent(const v1::Event& event);
  void OnProgress(const v1::ActionProgress& progress, absl::Time now);
  // The last word: what is no longer among the resources that are not well is done.
  void OnStatus(const v1::GetStatusResponse& status, absl::Time now);

  // In order of first mention; each at most `width` wide.
  std::vector<std::string> Lines(const TextOptions& options, std::size_t width) const;

 private:
  enum class Mark { kBusy, kDone, kFailed };
  struct Line {
    Mark mark = Mark::kBusy;
    std::string text;
    absl::Time started;
    // Of the last change of mark.
    absl::Time ended;
  };
  Line& LineOf(const std::string& subject, absl::Time at);

  std::vector<std::string> order_;
  std::map<std::string, Line> lines_;
};

// Text that puts `lines` in the place of `previous` lines printed before.
std::string Redraw(std::size_t previous, const std::vector<std::string>& lines);

}  // namespace fairlead::cli
