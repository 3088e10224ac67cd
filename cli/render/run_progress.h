// A run under way, as lines that change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/render/progress_rows.h"
#include "cli/render/text.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::cli {

// Joins the record of a run with what its actions tell. Confined to one thread.
class RunProgress {
 public:
  void OnRun(const v1::Run& run);
  // Of whatever action there is; what is not of this run is passed over.
  void OnProgress(const v1::ActionProgress& progress);

  // Its stage and the executions of that, each with its state; nothing once the run has ended.
  std::vector<std::string> Lines(const TextOptions& options, const ScreenSize& size) const;

 private:
  struct News {
    ProgressText text;
    uint64_t number = 0;
  };
  ProgressRow RowOf(const v1::RunExecution& execution, absl::Time now) const;

  v1::Run run_;
  // News and messages are numbered as they come.
  uint64_t next_ = 1;
  std::map<std::string, News> by_action_;
  std::map<std::string, News> by_resource_;
  // By request id: message and number.
  std::map<std::string, std::pair<std::string, uint64_t>> messages_;
};

}  // namespace fairlead::cli
