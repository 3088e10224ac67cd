#include "integration/testing/database_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace fairlead::integration {
namespace {

std::string SocketIn(const std::string& folder, int port) {
  return absl::StrCat(folder, "/.s.PGSQL.", port);
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof(address.sun_path)) << path;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return address;
}

}  // namespace

DatabaseLink::DatabaseLink(const std::string& folder, int port)
    : server_folder_(folder), port_(port) {
  char name[] = "/tmp/fairlead-link-XXXXXX";
  EXPECT_NE(::mkdtemp(name), nullptr);
  folder_ = name;
  EXPECT_EQ(::chmod(name, 0755), 0);
  EXPECT_EQ(::pipe2(wake_, O_CLOEXEC | O_NONBLOCK), 0);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const std::string path = SocketIn(folder_, port_);
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::chmod(path.c_str(), 0777), 0);
  EXPECT_EQ(::listen(listener_, 64), 0);
  thread_ = std::thread([this] { Run(); });
}

DatabaseLink::~DatabaseLink() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  EXPECT_EQ(::write(wake_[1], "x", 1), 1);
  thread_.join();
  for (const Pair& pair : pairs_) {
    ::close(pair.ends[0]);
    ::close(pair.ends[1]);
  }
  ::close(listener_);
  ::close(wake_[0]);
  ::close(wake_[1]);
  ::unlink(SocketIn(folder_, port_).c_str());
  ::rmdir(folder_.c_str());
}

std::string DatabaseLink::Through(const std::string& url) const {
  const auto escaped = [](const std::string& folder) {
    return absl::StrReplaceAll(folder, {{"/", "%2F"}});
  };
  return absl::StrReplaceAll(url, {{escaped(server_folder_), escaped(folder_)}});
}

void DatabaseLink::Set(bool cut) {
  {
    base::MutexLock lock(mutex_);
    cut_ = cut;
  }
  EXPECT_EQ(::write(wake_[1], "x", 1), 1);
}

void DatabaseLink::Accept() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(SocketIn(server_folder_, port_));
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    // The server is down: so the client hears.
    ::close(server);
    ::close(client);
    return;
  }
  Pair& pair = pairs_.emplace_back();
  pair.ends[0] = client;
  pair.ends[1] = server;
}

bool DatabaseLink::Pass(int from, int to) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t wrote =
        ::send(to, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (wrote <= 0) return false;
    sent += wrote;
  }
  return got > 0;
}

void DatabaseLink::Run() {
  while (true) {
    bool cut = false;
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return;
      cut = cut_;
    }
    std::vector<pollfd> waiting = {{.fd = wake_[0], .events = POLLIN, .revents = 0}};
    if (!cut) {
      waiting.push_back({.fd = listener_, .events = POLLIN, .revents = 0});
      for (const Pair& pair : pairs_) {
        for (const int end : pair.ends) {
          waiting.push_back({.fd = end, .events = POLLIN, .revents = 0});
        }
      }
    }
    if (::poll(waiting.data(), waiting.size(), -1) <= 0) continue;
    if (waiting[0].revents != 0) {
      std::array<char, 64> words;
      while (::read(wake_[0], words.data(), words.size()) > 0) {
      }
      continue;
    }
    std::size_t at = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
      bool open = true;
      for (const int side : {0, 1}) {
        if (waiting[at + static_cast<std::size_t>(side)].revents == 0) continue;
        open = open && Pass(pair->ends[side], pair->ends[1 - side]);
      }
      if (open) {
        ++pair;
        continue;
      }
      ::close(pair->ends[0]);
      ::close(pair->ends[1]);
      pair = pairs_.erase(pair);
    }
    if (waiting[1].revents != 0) Accept();
  }
}

}  // namespace fairlead::integration
