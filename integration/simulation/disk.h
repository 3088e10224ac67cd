// A disk that loses what was not synced.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "integration/simulation/random.h"

namespace fairlead::simulation {

// One file that grows and is synced, or is replaced as a whole. A value of the host: it outlives
// the processes that write it.
class DiskFile {
 public:
  const std::string& content() const { return content_; }

  // Visible at once, durable with Sync.
  void Append(absl::string_view bytes) { content_.append(bytes.data(), bytes.size()); }
  void Sync() { synced_ = content_.size(); }
  // As rename over the old one with both syncs: all or nothing.
  void Replace(std::string content) {
    content_ = std::move(content);
    synced_ = content_.size();
    exists_ = true;
  }
  bool exists() const { return exists_ || !content_.empty(); }

  // The machine loses power: of what was not synced any part may have reached the platters.
  void Crash(SeededRandom& random) {
    if (content_.size() == synced_) return;
    content_.resize(synced_ + random.Below(content_.size() - synced_ + 1));
    synced_ = content_.size();
  }

 private:
  std::string content_;
  std::size_t synced_ = 0;
  bool exists_ = false;
};

}  // namespace fairlead::simulation
