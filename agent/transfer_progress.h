// How far the parts of a transfer are: layers of an image, or images of services.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/action_scope.h"

namespace fairlead::agent {

// One line of whoever transfers.
struct TransferNews {
  // Id of a layer, or name of a service.
  std::string part;
  // In the words of the engine or compose: "Downloading", "Pull complete", "extracting (45%)".
  std::string status;
  // Bytes; 0 is unknown.
  uint64_t current = 0;
  uint64_t total = 0;
};

// A line that `compose pull` prints of a layer or a service; nothing for any other line.
std::optional<TransferNews> ParseComposeLine(absl::string_view line);

// Sums up the parts of one transfer. Confined to one thread.
class TransferProgress {
 public:
  // False when it says nothing of a part that is new: its state is as before.
  bool Add(const TransferNews& news);

  bool empty() const { return parts_.empty(); }
  // Bytes over the parts whose size is known; 0 of 0 when none is.
  uint64_t current() const;
  uint64_t total() const;
  // `title` with a count of what is done, then a line for each part under way, at most eight.
  std::string Detail(absl::string_view title) const;

 private:
  enum class State { kWaiting, kBusy, kDone };
  struct Part {
    State state = State::kWaiting;
    // Of the table of words.
    absl::string_view word;
    // Beside or instead of a size; empty while bytes come or go.
    std::string text;
    uint64_t current = 0;
    uint64_t total = 0;
  };
  // In order of first mention.
  std::vector<std::string> order_;
  std::map<std::string, Part> parts_;
};

// A transfer whose news go to the controller: changes at once, bytes some times a second. Confined
// to the action's thread; what it is given outlives it.
class TransferReport {
 public:
  // `phase` is "pulling" or "pushing", `title` what is transferred.
  TransferReport(const ActionScope& scope, absl::string_view phase, std::string title);
  void Add(const TransferNews& news);

 private:
  const ActionScope& scope_;
  const std::string phase_;
  const std::string title_;
  TransferProgress progress_;
  absl::Time reported_ = absl::InfinitePast();
};

}  // namespace fairlead::agent
