#include "controller/store/testing/cutting_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace fairlead::store {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// What there is to read; empty at the end.
std::string ReadSome(int fd) {
  std::array<char, 65536> buffer;
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
}

bool SendAll(int fd, const std::string& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t now = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) return false;
    sent += static_cast<std::size_t>(now);
  }
  return true;
}

// Until the server is ready for the next message, or has gone.
std::string ReadAnswer(int fd) {
  std::string answer;
  while (true) {
    const std::string some = ReadSome(fd);
    if (some.empty()) return answer;
    answer += some;
    // ReadyForQuery: 'Z', a length of 5, a state.
    if (answer.size() >= 6 &&
        answer.compare(answer.size() - 6, 5, std::string("Z\0\0\0\5", 5)) == 0) {
      return answer;
    }
  }
}

}  // namespace

CuttingProxy::CuttingProxy(int server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return;
  }
  port_ = ntohs(address.sin_port);
  if (pipe2(stop_ends_, O_CLOEXEC) != 0) return;
  acceptor_ = std::thread([this] { Accept(); });
}

CuttingProxy::~CuttingProxy() {
  close(stop_ends_[1]);
  if (acceptor_.joinable()) acceptor_.join();
  std::vector<std::thread> threads;
  {
    base::MutexLock lock(mutex_);
    threads = std::move(threads_);
    if (held_server_ >= 0) close(held_server_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
  close(stop_ends_[0]);
}

void CuttingProxy::Arm(Cut cut, const std::string& trigger) {
  base::MutexLock lock(mutex_);
  cut_ = cut;
  trigger_ = trigger;
}

int CuttingProxy::cuts() {
  base::MutexLock lock(mutex_);
  return cuts_;
}

std::string CuttingProxy::Release() {
  int server = -1;
  std::string bytes;
  {
    base::MutexLock lock(mutex_);
    server = std::exchange(held_server_, -1);
    bytes = std::move(held_bytes_);
  }
  if (server < 0 || !SendAll(server, bytes)) return "";
  const std::string answer = ReadAnswer(server);
  close(server);
  return answer;
}

Cut CuttingProxy::Take(const std::string& bytes) {
  base::MutexLock lock(mutex_);
  if (cut_ == Cut::kNothing || bytes.find(trigger_) == std::string::npos) return Cut::kNothing;
  ++cuts_;
  return std::exchange(cut_, Cut::kNothing);
}

void CuttingProxy::Accept() {
  while (true) {
    std::array<pollfd, 2> waits = {{{listener_, POLLIN, 0}, {stop_ends_[0], POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[1].revents != 0) return;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    base::MutexLock lock(mutex_);
    threads_.emplace_back([this, client] { Serve(client); });
  }
}

void CuttingProxy::Serve(int client) {
  int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  while (open) {
    std::array<pollfd, 3> waits = {
        {{client, POLLIN, 0}, {server, POLLIN, 0}, {stop_ends_[0], POLLIN, 0}}};
    if (poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[2].revents != 0) break;
    if (waits[1].revents != 0) {
      const std::string bytes = ReadSome(server);
      open = !bytes.empty() && SendAll(client, bytes);
    }
    if (!open || waits[0].revents == 0) continue;
    const std::string bytes = ReadSome(client);
    if (bytes.empty()) break;
    switch (Take(bytes)) {
      case Cut::kNothing:
        open = SendAll(server, bytes);
        break;
      case Cut::kBeforeServer:
        open = false;
        break;
      case Cut::kAfterServer:
        SendAll(server, bytes);
        ReadAnswer(server);
        open = false;
        break;
      case Cut::kHold: {
        base::MutexLock lock(mutex_);
        held_server_ = std::exchange(server, -1);
        held_bytes_ = bytes;
        open = false;
        break;
      }
    }
  }
  close(client);
  if (server >= 0) close(server);
}

}  // namespace fairlead::store
