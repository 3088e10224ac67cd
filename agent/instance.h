// What makes an agent this agent: its locked data directory and the id kept there.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/journal.h"
#include "base/file.h"
#include "base/ids.h"

namespace fairlead::agent {

// Holds the data directory for this process until destroyed. A value that moves.
struct Instance {
  base::FileLock lock;
  // Made at the first start; never changes afterwards.
  std::string id;
  std::string journal_path;
};

// Makes the directory when it is not there. FailedPrecondition when another agent runs on it,
// DataLoss when the id in it cannot be read.
absl::StatusOr<Instance> OpenInstance(const std::string& data_dir, base::Random& random);

// Field 22 of `stat`, the content of /proc/PID/stat: ticks since boot; 0 when it cannot be read.
uint64_t ParseStartTicks(absl::string_view stat);

// Start of the process `pid`, as ParseStartTicks; 0 when there is none.
uint64_t ReadStartTicks(int pid);

// Kills the process groups that open actions of an earlier run left behind. A group whose number
// now belongs to a process with another start is a stranger's and left alone; of a group that has
// lost its leader only processes of this user, not older than the leader, are killed. Returns the
// number of groups ended.
int EndLeftoverGroups(const JournalState& journal);

}  // namespace fairlead::agent
