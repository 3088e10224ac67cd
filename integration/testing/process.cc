#include "integration/testing/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "base/subprocess.h"
#include "gtest/gtest.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {

Process::~Process() { Kill(); }

absl::Status Process::Start(const std::vector<std::string>& argv, const std::string& log,
                            const std::map<std::string, std::string>& environment) {
  log_ = log;
  exit_code_ = -1;
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) {
    return base::ErrnoStatus(errno, absl::StrCat("open ", log));
  }
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
      _exit(126);
    }
    setpgid(0, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (const auto& [name, value] : environment) {
      setenv(name.c_str(), value.c_str(), 1);
    }
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(out);
  return pid_ < 0 ? base::ErrnoStatus(errno, "fork") : absl::OkStatus();
}

bool Process::Running() {
  if (pid_ < 0) {
    return false;
  }
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) {
    return true;
  }
  pid_ = -1;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

void Process::Signal(int number) {
  if (Running()) {
    kill(pid_, number);
  }
}

absl::Status Process::WaitForEnd(absl::Duration patience) {
  return WaitFor(
      "the end of a process", [this] { return !Running(); }, patience, absl::Milliseconds(5));
}

void Process::Kill() {
  Signal(SIGKILL);
  WaitForEnd().IgnoreError();  // SIGKILL cannot be refused.
}

bool Process::Stop() {
  Signal(SIGTERM);
  if (WaitForEnd(absl::Seconds(10)).ok()) {
    return true;
  }
  Kill();
  return false;
}

CommandResult RunCommand(const std::vector<std::string>& argv,
                         const std::map<std::string, std::string>& environment,
                         absl::Duration patience) {
  base::SubprocessOptions options;
  options.argv = argv;
  options.environment = environment;
  options.timeout = patience;
  auto result = base::RunSubprocess(options);
  if (!result.ok()) {
    return {.exit_code = -1, .out = "", .err = result.status().ToString()};
  }
  return {.exit_code = result->exit_code, .out = result->out, .err = result->err};
}

std::string MustRun(const std::vector<std::string>& argv,
                    const std::map<std::string, std::string>& environment) {
  const CommandResult result = RunCommand(argv, environment);
  EXPECT_EQ(result.exit_code, 0) << absl::StrJoin(argv, " ") << "\n" << result.out << result.err;
  return std::string(absl::StripTrailingAsciiWhitespace(result.out));
}

std::string TailOf(const std::string& file, int lines) {
  const auto text = base::ReadFile(file);
  if (!text.ok()) {
    return text.status().ToString();
  }
  std::vector<std::string> all = absl::StrSplit(*text, '\n');
  const auto count = static_cast<std::size_t>(lines);
  if (all.size() > count) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(count));
  }
  return absl::StrJoin(all, "\n");
}

std::string CheckTool(const std::string& name) {
  const char* const folder = std::getenv("FAIRLEAD_CHECK_TOOLS");
  std::string path =
      absl::StrCat(folder == nullptr ? FAIRLEAD_SOURCE_DIR "/out/check-tools" : folder, "/", name);
  return access(path.c_str(), X_OK) == 0 ? path : "";
}

}  // namespace fairlead::integration
