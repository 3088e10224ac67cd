// Ten thousand connections on each port, each of which drips a byte now and then, while a commit is
// deployed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

constexpr int kConnections = 10'000;
constexpr int kAddresses = 100;
// Between two bytes of one connection.
constexpr int kPauseMilliseconds = 300;
constexpr int64_t kMostMemoryKib = int64_t{1} << 20;

// Connections to one port from many addresses of this machine. A thread of its own sends each of
// them a byte of what never becomes a request, and makes those anew that the other side has ended.
class Flood {
 public:
  // `head` begins what each of them says; "x" follows for ever.
  Flood(const std::string& endpoint, std::string head)
      : head_(std::move(head)), sockets_(kConnections, -1), sent_(kConnections, 0) {
    const std::size_t colon = endpoint.rfind(':');
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(endpoint.substr(colon + 1), &port));
    to_.sin_family = AF_INET;
    to_.sin_port = htons(static_cast<uint16_t>(port));
    to_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    thread_ = std::thread([this] { Run(); });
  }
  ~Flood() { End(); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  void End() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
    for (int& socket : sockets_) Close(socket);
  }
  // Connections that have been made so far, those that were cut included.
  int made() const { return made_; }
  int cut() const { return cut_; }
  // Times that each had its byte.
  int rounds() const { return rounds_; }

 private:
  static void Close(int& socket) {
    if (socket >= 0) ::close(socket);
    socket = -1;
  }

  void Run() {
    while (!ending_) {
      for (std::size_t i = 0; i < sockets_.size() && !ending_; ++i) Drip(i);
      ++rounds_;
      // Waits for nothing but the time.
      ::poll(nullptr, 0, kPauseMilliseconds);
    }
  }
  void Drip(std::size_t i) {
    if (sockets_[i] < 0) {
      Connect(i);
      return;
    }
    const char next = sent_[i] < head_.size() ? head_[sent_[i]] : 'x';
    if (::send(sockets_[i], &next, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1) {
      ++sent_[i];
    } else if (errno != EAGAIN) {
      ++cut_;
      Close(sockets_[i]);
    }
  }
  void Connect(std::size_t i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) return;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + static_cast<uint32_t>(i % kAddresses));
    const bool good =
        ::bind(socket, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) == 0 &&
        (::connect(socket, reinterpret_cast<const sockaddr*>(&to_), sizeof(to_)) == 0 ||
         errno == EINPROGRESS);
    if (!good) {
      ::close(socket);
      return;
    }
    sockets_[i] = socket;
    sent_[i] = 0;
    ++made_;
  }

  const std::string head_;
  sockaddr_in to_{};
  // Below: the thread's alone until End.
  std::vector<int> sockets_;
  std::vector<std::size_t> sent_;
  std::atomic<int> made_ = 0;
  std::atomic<int> cut_ = 0;
  std::atomic<int> rounds_ = 0;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

void AllowManyFiles() {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  constexpr rlim_t kWanted = kConnections + 5000;
  files.rlim_max = std::max(files.rlim_max, kWanted);
  files.rlim_cur = std::max(files.rlim_cur, kWanted);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0) << "needs root";
}

// Of /proc/PID/status, in KiB.
int64_t MemoryOf(pid_t pid, const std::string& field) {
  const std::string text = base::ReadFile(absl::StrCat("/proc/", pid, "/status")).value_or("");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, field)) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar("\t "), absl::SkipEmpty());
    int64_t kib = 0;
    EXPECT_TRUE(words.size() > 1 && absl::SimpleAtoi(words[1], &kib)) << line;
    return kib;
  }
  ADD_FAILURE() << "no " << field << " of " << pid;
  return 0;
}

int SessionsOf(const MiniFleet& fleet) {
  const std::string log =
      base::ReadFile(absl::StrCat(fleet.directory(), "/agent-1.log")).value_or("");
  return static_cast<int>(
             std::vector<std::string>(absl::StrSplit(log, "connected to controller")).size()) -
         1;
}

void ExpectDeploysUnder(Flood& flood, MiniFleet& fleet, const std::string& image) {
  ASSERT_OK(
      WaitFor("the flood", [&] { return flood.made() >= kConnections && flood.rounds() >= 2; }));
  const std::string commit = fleet.PushFile("a.toml", ToToml({.name = "alpha", .image = image}));
  EXPECT_OK(fleet.WaitConverged(commit));
  EXPECT_OK(fleet.WaitRunning("deployment/alpha", image));
  EXPECT_OK(WaitFor("the HTTP port", [&] {
    const auto answer = HttpGet(fleet.http(), "/healthz");
    return answer.ok() && answer->status == 200;
  }));
  flood.End();
}

TEST(FloodTest, ADeployGoesOn) {
  AllowManyFiles();
  MiniFleet fleet;
  ASSERT_OK(fleet.Start());
  ASSERT_OK(fleet.WaitConverged(fleet.PushFile("a.toml", ToToml({.name = "alpha"}))));
  ASSERT_EQ(SessionsOf(fleet), 1);

  // One port after the other: a process may have only so many files open.
  {
    Flood flood(fleet.grpc(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    ExpectDeploysUnder(flood, fleet, "fl/app:2");
  }
  {
    Flood flood(fleet.http(), "POST /webhook/github/main HTTP/1.1\r\nHost: h\r\nX-Slow: ");
    ExpectDeploysUnder(flood, fleet, "fl/app:3");
    // There was no room for all, or the test shows nothing.
    EXPECT_GT(flood.cut(), 0);
  }

  EXPECT_EQ(SessionsOf(fleet), 1) << "the agent's session ended";
  EXPECT_LT(MemoryOf(fleet.controller().pid(), "VmHWM:"), kMostMemoryKib);
  EXPECT_OK(WaitFor("all connections to be gone", [&] {
    const auto answer = HttpGet(fleet.http(), "/metrics");
    return answer.ok() &&
           absl::StrContains(answer->body, "fairlead_connections{port=\"http\"} 1\n");
  }));
  EXPECT_OK(fleet.WaitConverged(
      fleet.PushFile("a.toml", ToToml({.name = "alpha", .image = "fl/app:1"}))));
}

}  // namespace
}  // namespace fairlead::integration
