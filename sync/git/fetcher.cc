#include "sync/git/fetcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/status.h"
#include "sync/git/fetch_protocol.h"
#include "sync/git/mirror_directory.h"
#include "sync/git/url.h"

extern char** environ;

namespace fairlead::git {
namespace {

constexpr absl::Duration kCancelPoll = absl::Milliseconds(50);
constexpr absl::Duration kLongestPoll = absl::Minutes(1);
constexpr std::size_t kMaxOutput = 64u << 10;

}  // namespace

// A child in its own process group, joined to this process by one socket: its standard input and
// output. Ended and reaped when it goes out of scope.
class Fetcher::Child {
 public:
  Child(pid_t pid, int socket) : pid_(pid), socket_(socket) {}
  ~Child() {
    ::close(socket_);
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    Reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // False when the child is gone.
  bool Send(absl::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Reads until the child closes its output. DeadlineExceeded or Cancelled when it has to end.
  absl::StatusOr<std::string> Receive(absl::Time deadline,
                                      const std::function<bool()>& is_cancelled) const {
    std::string output;
    std::array<char, 4096> buffer;
    while (true) {
      const absl::Duration left = deadline - base::Clock::Real().Now();
      if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("");
      if (is_cancelled && is_cancelled()) return absl::CancelledError("");
      pollfd poll{socket_, POLLIN, 0};
      // Bounded, so that an infinite timeout fits as well.
      const absl::Duration wait = std::min(left, is_cancelled ? kCancelPoll : kLongestPoll);
      if (::poll(&poll, 1, static_cast<int>(absl::ToInt64Milliseconds(wait) + 1)) <= 0) continue;
      const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return output;
      if (output.size() < kMaxOutput) output.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

  // Waits for the end; the exit code, or 128 + signal.
  int Reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
  int socket_;
};

Fetcher::Fetcher(std::string helper_program) : helper_program_(std::move(helper_program)) {
  KeepOneReady();
}

Fetcher::~Fetcher() = default;

absl::StatusOr<std::unique_ptr<Fetcher::Child>> Fetcher::StartChild() const {
  std::array<int, 2> ends;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return base::ErrnoStatus(errno, "socketpair");
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  std::string program = helper_program_;
  std::string flag = kFetchHelperFlag;
  std::array<char*, 3> argv = {program.data(), flag.data(), nullptr};
  pid_t pid = 0;
  const int error =
      ::posix_spawnp(&pid, program.c_str(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    return base::ErrnoStatus(error, absl::StrCat("run ", helper_program_));
  }
  return std::make_unique<Child>(pid, ends[0]);
}

absl::StatusOr<std::unique_ptr<Fetcher::Child>> Fetcher::TakeChild() {
  {
    base::MutexLock lock(mutex_);
    if (ready_ != nullptr) return std::move(ready_);
  }
  return StartChild();
}

void Fetcher::KeepOneReady() {
  {
    base::MutexLock lock(mutex_);
    if (ready_ != nullptr) return;
  }
  auto child = StartChild();
  // The next Fetch tries again and says why it fails.
  if (!child.ok()) return;
  base::MutexLock lock(mutex_);
  if (ready_ == nullptr) ready_ = *std::move(child);
}

absl::Status Fetcher::Fetch(const FetchRequest& request,
                            const std::function<bool()>& is_cancelled) {
  const SplitUrl url = SplitCredentials(request.url);
  const absl::Time deadline = base::Clock::Real().Now() + request.timeout;
  std::string message;
  for (const std::string& field : {url.url, request.directory, request.reference, url.user_info,
                                   request.ssh_key, request.known_hosts}) {
    if (field.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("fetch ", url.url, ": holds a zero byte"));
    }
    message.append(field.c_str(), field.size() + 1);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Child> child, TakeChild(), absl::StrCat("fetch ", url.url));
  if (!child->Send(message)) {
    // The one that waited has been killed meanwhile.
    ASSIGN_OR_RETURN(child, StartChild(), absl::StrCat("fetch ", url.url));
    child->Send(message);
  }
  const absl::StatusOr<std::string> output = child->Receive(deadline, is_cancelled);
  const absl::Status status = output.ok() ? StatusOfExit(child->Reap(), *output, url)
                                          : StatusOfEnd(output.status(), url, request.timeout);
  child.reset();
  // A child that was killed leaves its locks, and they would stop the next one.
  if (!status.ok()) RemoveLeftovers(request.directory);
  KeepOneReady();
  return status;
}

}  // namespace fairlead::git
