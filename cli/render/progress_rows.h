// Lines for things under way.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "cli/render/text.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::cli {

enum class Mark { kWaiting, kBusy, kDone, kFailed };

// One thing under way, waiting for its turn, or at its end. Texts need not be printable.
struct ProgressRow {
  Mark mark = Mark::kBusy;
  std::string name;
  std::string text;
  // May be empty.
  std::string took;
  // What of it is under way, such as layers.
  std::vector<std::string> parts;
};

// A line for each row and each part, none wider than the screen, and no more than fit: parts are
// left out first, then what is done, then what waits, then the last rows; what is left out is
// counted.
std::vector<std::string> RenderRows(std::vector<ProgressRow> rows, const TextOptions& options,
                                    const ScreenSize& size);

// What an action tells, in words: "pulling nginx:1.4, 3 of 7 done  14.1 / 24.0 MB".
struct ProgressText {
  std::string text;
  std::vector<std::string> parts;
};
ProgressText TextOf(const v1::ActionProgress& progress);

}  // namespace fairlead::cli
