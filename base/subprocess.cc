#include "base/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/status.h"

extern char** environ;

namespace fairlead::base {
namespace {

constexpr int kExecFailed = 127;
constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);
// Between the end of a child's output and its own.
constexpr absl::Duration kEndPoll = absl::Milliseconds(2);

// A file descriptor closed at the end of its scope.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Fd read;
  Fd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

// Keeps the end of a stream and hands whole lines on.
class Collector {
 public:
  Collector(std::size_t limit, const std::function<void(absl::string_view)>& on_line)
      : limit_(limit), on_line_(on_line) {}

  void Add(absl::string_view data) {
    text_.append(data.data(), data.size());
    if (text_.size() > 2 * limit_) text_.erase(0, text_.size() - limit_);
    if (!on_line_) return;
    for (const char c : data) {
      if (c == '\n' || line_.size() > 65536) {
        on_line_(line_);
        line_.clear();
      }
      if (c != '\n' && c != '\r') line_.push_back(c);
    }
  }
  std::string Take() {
    if (on_line_ && !line_.empty()) on_line_(line_);
    if (text_.size() > limit_) text_.erase(0, text_.size() - limit_);
    return std::move(text_);
  }

 private:
  std::size_t limit_;
  const std::function<void(absl::string_view)>& on_line_;
  std::string text_;
  std::string line_;
};

std::vector<std::string> MergedEnvironment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!extra.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [key, value] : extra) merged.push_back(absl::StrCat(key, "=", value));
  return merged;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void ExecChild(const std::string& directory, char** argv, char** environment, int in,
                            int out, int err, int failure, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kExecFailed);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  int error = 0;
  if (!directory.empty() && ::chdir(directory.c_str()) != 0) error = errno;
  if (error == 0) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::execvpe(argv[0], argv, environment);
    error = errno;
  }
  if (::write(failure, &error, sizeof(error)) < 0) ::_exit(kExecFailed);
  ::_exit(kExecFailed);
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void KillGroup(pid_t group) { ::kill(-group, SIGKILL); }

struct Streams {
  Fd in;
  Fd out;
  Fd err;
};

// OK, or why the child must be ended.
absl::Status MayGoOn(const SubprocessOptions& options, absl::Time deadline) {
  if (Clock::Real().Now() >= deadline) {
    return absl::DeadlineExceededError(absl::StrCat(options.argv[0], ": not finished after ",
                                                    absl::FormatDuration(options.timeout)));
  }
  if (options.is_cancelled && options.is_cancelled()) {
    return absl::CancelledError(absl::StrCat(options.argv[0], ": cancelled"));
  }
  return absl::OkStatus();
}

// Moves data until both outputs are closed. OK, or why the child must be ended.
absl::Status Pump(const SubprocessOptions& options, absl::Time deadline, Streams& streams,
                  Collector& out, Collector& err) {
  absl::string_view input = options.input;
  if (input.empty()) streams.in.Close();
  std::array<char, 65536> buffer;
  while (streams.out.get() >= 0 || streams.err.get() >= 0) {
    RETURN_IF_ERROR(MayGoOn(options, deadline));
    const absl::Duration left = std::max(deadline - Clock::Real().Now(), absl::ZeroDuration());
    std::array<pollfd, 3> polls = {{{streams.out.get(), POLLIN, 0},
                                    {streams.err.get(), POLLIN, 0},
                                    {streams.in.get(), POLLOUT, 0}}};
    const absl::Duration longest = options.is_cancelled ? kCancelPoll : absl::Minutes(1);
    const int64_t milliseconds = absl::ToInt64Milliseconds(std::min(left, longest)) + 1;
    if (::poll(polls.data(), polls.size(), static_cast<int>(milliseconds)) < 0 && errno != EINTR) {
      return ErrnoStatus(errno, "poll");
    }
    const auto drain = [&](const pollfd& poll, Fd& fd, Collector& collector) {
      if (fd.get() < 0 || poll.revents == 0) return;
      const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
      if (got > 0) {
        collector.Add(absl::string_view(buffer.data(), static_cast<std::size_t>(got)));
      } else if (got == 0 || errno != EINTR) {
        fd.Close();
      }
    };
    drain(polls[0], streams.out, out);
    drain(polls[1], streams.err, err);
    if (streams.in.get() >= 0 && polls[2].revents != 0) {
      const ssize_t sent = ::write(streams.in.get(), input.data(), input.size());
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (input.empty() || (sent < 0 && errno != EINTR && errno != EAGAIN)) streams.in.Close();
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SubprocessResult> RunSubprocess(const SubprocessOptions& options) {
  if (options.argv.empty()) return absl::InternalError("subprocess without a program");
  // A child that closes its input early must not end this process.
  static const bool ignored = ::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
  if (!ignored) return absl::InternalError("cannot ignore SIGPIPE");
  ASSIGN_OR_RETURN(Pipe in, MakePipe());
  ASSIGN_OR_RETURN(Pipe out, MakePipe());
  ASSIGN_OR_RETURN(Pipe err, MakePipe());
  ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> environment = MergedEnvironment(options.environment);
  const std::vector<char*> argv_pointers = Pointers(argv);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoStatus(errno, absl::StrCat("fork for ", options.argv[0]));
  if (pid == 0) {
    ExecChild(options.working_directory, const_cast<char**>(argv_pointers.data()),
              const_cast<char**>(environment_pointers.data()), in.read.get(), out.write.get(),
              err.write.get(), failure.write.get(), parent);
  }
  ::setpgid(pid, pid);
  in.read.Close();
  out.write.Close();
  err.write.Close();
  failure.write.Close();
  int exec_error = 0;
  if (::read(failure.read.get(), &exec_error, sizeof(exec_error)) == sizeof(exec_error)) {
    ::waitpid(pid, nullptr, 0);
    return ErrnoStatus(exec_error, absl::StrCat("run ", options.argv[0]));
  }
  if (options.on_start) options.on_start(pid);

  Streams streams{std::move(in.write), std::move(out.read), std::move(err.read)};
  Collector out_text(options.output_limit, options.on_line);
  Collector err_text(options.output_limit, options.on_line);
  const absl::Time deadline = Clock::Real().Now() + options.timeout;
  absl::Status ended = Pump(options, deadline, streams, out_text, err_text);
  int status = 0;
  // A child may close its outputs and go on.
  while (ended.ok() && ::waitpid(pid, &status, WNOHANG) == 0) {
    ::poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(kEndPoll)));
    ended = MayGoOn(options, deadline);
  }
  if (!ended.ok()) {
    KillGroup(pid);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  RETURN_IF_ERROR(ended);
  return SubprocessResult{ExitCode(status), out_text.Take(), err_text.Take()};
}

}  // namespace fairlead::base
