// A child process in its own process group, with a deadline, bounded output and cancel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::base {

struct SubprocessOptions {
  // argv[0] is looked up in PATH.
  std::vector<std::string> argv;
  std::string working_directory;
  // Added to, or replacing in, this process's environment.
  std::map<std::string, std::string> environment;
  // Written to the child's standard input, which is then closed.
  std::string input;
  // The whole process group is killed after it.
  absl::Duration timeout = absl::InfiniteDuration();
  // Output kept, from the end; the rest is dropped.
  std::size_t output_limit = 4u << 20;
  // Called with each whole line of standard output and error as it comes; may be empty.
  std::function<void(absl::string_view)> on_line;
  // Called once with the process group id after the start; may be empty.
  std::function<void(pid_t)> on_start;
  // Polled; when it returns true the process group is killed. May be empty.
  std::function<bool()> is_cancelled;
};

struct SubprocessResult {
  // Exit code; 128 + signal when a signal ended it.
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs to the end. DeadlineExceeded after the timeout, Cancelled after a cancel (both with the
// group killed and reaped), NotFound when the program is not there. A non-zero exit is not an
// error. The child dies with this process.
absl::StatusOr<SubprocessResult> RunSubprocess(const SubprocessOptions& options);

}  // namespace fairlead::base
