// A long-running child of a test, and short commands.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fairlead::integration {

// One child process; output goes to a log file. Killed with its owner, at the latest with the
// test program. Confined to one thread.
class Process {
 public:
  Process() = default;
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Starts argv; `log` is appended to. Requires: not running.
  absl::Status Start(const std::vector<std::string>& argv, const std::string& log,
                     const std::map<std::string, std::string>& environment = {});
  bool Running();
  // Sends a signal; nothing when it does not run.
  void Signal(int number);
  // Waits for the end; DeadlineExceeded when it does not come.
  absl::Status WaitForEnd(absl::Duration patience = absl::Seconds(15));
  // SIGKILL, and reaped.
  void Kill();
  // SIGTERM, then SIGKILL after 10 s. True when it ended by itself.
  bool Stop();

  pid_t pid() const { return pid_; }
  // After the end: exit code, or 128 + signal.
  int exit_code() const { return exit_code_; }
  const std::string& log() const { return log_; }

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
  std::string log_;
};

struct CommandResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs to the end, at most `patience`; a failure to run has exit code -1 and a text in err.
CommandResult RunCommand(const std::vector<std::string>& argv,
                         const std::map<std::string, std::string>& environment = {},
                         absl::Duration patience = absl::Seconds(60));

// Standard output without the trailing newline; a test failure when the exit code is not 0.
std::string MustRun(const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& environment = {});

// The last `lines` lines of a file, or why there are none.
std::string TailOf(const std::string& file, int lines);

// The path of a program that tools/check_tools builds, in $FAIRLEAD_CHECK_TOOLS or else where that
// puts it; empty when it is not there.
std::string CheckTool(const std::string& name);

}  // namespace fairlead::integration
