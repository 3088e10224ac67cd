// The agent's durable memory of actions: intent before effect, outcome before report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/journal.pb.h"

namespace fairlead::agent {

// What the records say, taken together. A value.
struct JournalState {
  struct Entry {
    v1::Action action;
    std::vector<v1::JournalRecord::ProcessGroup> groups;
    bool finished = false;
    v1::ActionOutcome outcome;
  };
  // By action id.
  std::map<std::string, Entry> entries;

  void Apply(const v1::JournalRecord& record);
};

// One record as it stands in the file: length, CRC-32C, bytes.
std::string EncodeRecord(const v1::JournalRecord& record);

// Reads records up to the first torn or damaged one, as a crash may leave at the end. Returns
// the number of bytes that were well.
std::size_t DecodeRecords(absl::string_view content, std::vector<v1::JournalRecord>* records);

// The file. Confined to one thread.
class Journal {
 public:
  // Reads `path`, drops a torn end, and rewrites a long file without what is forgotten. DataLoss
  // when a record in the middle is damaged.
  static absl::StatusOr<Journal> Open(const std::string& path);
  ~Journal();
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;

  // Durable when it returns OK. After an error the file is as before.
  absl::Status Append(const v1::JournalRecord& record);

  const JournalState& state() const { return state_; }

 private:
  Journal(std::string path, int fd, uint64_t size, JournalState state);
  absl::Status Compact();

  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  uint64_t compact_above_ = 0;
  JournalState state_;
};

}  // namespace fairlead::agent
