#include "controller/grpc_port.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "base/testing/simulated_clock.h"
#include "controller/limits.h"

namespace fairlead::controller {
namespace {

using ::testing::HasSubstr;

// A connection of a client that says what it likes.
class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A test that would hang fails instead.
    const timeval limit{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(const std::string& text) {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Waits until the server ends the connection; what it said before does not matter.
  bool IsEnded() {
    std::array<char, 4096> bytes;
    ssize_t n = 1;
    while (n > 0) n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }
  // As gRPC names it on the other side.
  std::string Peer() const {
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    return "ipv4:127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

 private:
  const int socket_;
};

class GrpcPortTest : public ::testing::Test {
 protected:
  ~GrpcPortTest() override {
    if (port_ != nullptr) port_->Stop();
    if (server_ != nullptr) server_->Shutdown();
  }
  void Start(const base::ConnectionLimits& limits) {
    GrpcPortOptions options;
    options.listen = "127.0.0.1:0";
    options.limits = limits;
    options.on_open = [this](std::size_t open) {
      base::MutexLock lock(mutex_);
      open_ = open;
      changed_.SignalAll();
    };
    options.on_cut = [this](absl::string_view why) {
      base::MutexLock lock(mutex_);
      cuts_ += std::string(why) + " ";
      changed_.SignalAll();
    };
    auto port = GrpcPort::Open(std::move(options), clock_);
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    port_->AddTo(builder, grpc::InsecureServerCredentials());
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    ASSERT_TRUE(port_->Start().ok());
  }
  // False when it does not come to that.
  bool WaitForOpen(std::size_t open) {
    base::MutexLock lock(mutex_);
    while (open_ != open) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(20))) return false;
    }
    return true;
  }
  std::string Cuts() {
    base::MutexLock lock(mutex_);
    return cuts_;
  }
  // A client may know of its end before the port has told it.
  bool WaitForCuts(const std::string& cuts) {
    base::MutexLock lock(mutex_);
    while (cuts_ != cuts) {
      if (!changed_.WaitFor(mutex_, absl::Seconds(20))) return false;
    }
    return true;
  }

  base::SimulatedClock clock_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string cuts_ ABSL_GUARDED_BY(mutex_);
  // A server needs some service.
  grpc::CallbackGenericService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<GrpcPort> port_;
};

TEST_F(GrpcPortTest, ServesAsAPortOfGrpcDoes) {
  Start({});
  const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port_->port()),
                                           grpc::InsecureChannelCredentials());
  EXPECT_TRUE(
      channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20)));
  EXPECT_TRUE(WaitForOpen(1));
}

TEST_F(GrpcPortTest, KnowsWhenAConnectionEnds) {
  Start({});
  {
    std::deque<Client> clients;
    for (int i = 0; i < 20; ++i) clients.emplace_back(port_->port());
    EXPECT_TRUE(WaitForOpen(20));
  }
  EXPECT_TRUE(WaitForOpen(0));
  // Ended by gRPC, while the client still holds its side.
  Client stranger(port_->port());
  EXPECT_TRUE(WaitForOpen(1));
  stranger.Send("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n");
  EXPECT_TRUE(stranger.IsEnded());
  EXPECT_TRUE(WaitForOpen(0));
  EXPECT_EQ(Cuts(), "");
}

TEST_F(GrpcPortTest, TheLongestUnprovenMakesRoom) {
  Start({.total = 2, .per_address = 2});
  Client first(port_->port());
  EXPECT_TRUE(WaitForOpen(1));
  Client second(port_->port());
  EXPECT_TRUE(WaitForOpen(2));
  port_->Prove(first.Peer());
  Client third(port_->port());
  EXPECT_TRUE(second.IsEnded());
  EXPECT_TRUE(WaitForCuts("evicted "));
  port_->Prove(third.Peer());
  Client fourth(port_->port());
  EXPECT_TRUE(fourth.IsEnded());
  EXPECT_TRUE(WaitForCuts("evicted full "));
}

TEST_F(GrpcPortTest, WhoProvesNothingIsCut) {
  Start({.patience = absl::Seconds(30)});
  Client silent(port_->port());
  Client proven(port_->port());
  EXPECT_TRUE(WaitForOpen(2));
  port_->Prove(proven.Peer());
  clock_.Advance(absl::Seconds(31));
  EXPECT_TRUE(silent.IsEnded());
  EXPECT_TRUE(WaitForOpen(1));
  EXPECT_TRUE(WaitForCuts("unproven "));
}

TEST_F(GrpcPortTest, WrongAddressesAreNamed) {
  const auto open = [this](const std::string& listen) {
    GrpcPortOptions options;
    options.listen = listen;
    return GrpcPort::Open(std::move(options), clock_).status();
  };
  for (const char* wrong : {"127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "no address:1"}) {
    const absl::Status status = open(wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_THAT(std::string(status.message()), HasSubstr(wrong));
  }
  Start({});
  const absl::Status taken = open("127.0.0.1:" + std::to_string(port_->port()));
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(taken.message()), HasSubstr("--listen"));
}

TEST(LimitsTest, NoMoreConnectionsThanDescriptors) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 2000;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  // Without 256 for files and 1024 for the HTTP port; two for each.
  EXPECT_EQ(FitToDescriptors({}).connections, 360);
  EXPECT_EQ(FitToDescriptors({.connections = 100}).connections, 100);
  RaiseDescriptorLimit();
  rlimit raised{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &raised), 0);
  EXPECT_EQ(raised.rlim_cur, before.rlim_max);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(ConnectionKeyTest, IsAddressAndPort) {
  EXPECT_EQ(ConnectionKey("ipv4:10.0.0.7:41234"), "10.0.0.7 41234");
  EXPECT_EQ(ConnectionKey("ipv6:%5B2001:db8::1%5D:9"), "2001:db8::1 9");
  EXPECT_EQ(ConnectionKey("ipv6:%5Bfe80::1%25eth0%5D:9"), "fe80::1 9");
}

}  // namespace
}  // namespace fairlead::controller
