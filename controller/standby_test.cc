// A standby whose active controller takes webhooks and does not answer.
#include "controller/standby.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/connection_failure.h"
#include "base/status.h"
#include "controller/webhook_relay.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Answer = absl::StatusOr<http::HttpReply>;

// Takes connections, and says what it is told to.
class SilentServer {
 public:
  SilentServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    // A test that would hang fails instead.
    const timeval limit{20, 0};
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 128), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~SilentServer() {
    for (const int one : taken_) ::close(one);
    ::close(listener_);
  }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  const std::string& address() const { return address_; }
  // Waits for the next connection.
  void Take() {
    taken_.push_back(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_GE(taken_.back(), 0);
  }
  // On the last connection.
  void Say(const std::string& text) {
    EXPECT_EQ(::send(taken_.back(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

 private:
  int listener_;
  std::vector<int> taken_;
  std::string address_;
};

http::HttpRequest RequestOf(const std::string& method, const std::string& target) {
  http::HttpRequest request;
  request.method = method;
  request.target = target;
  return request;
}

class StandbyTest : public ::testing::Test {
 protected:
  StandbyTest() {
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.dev = true;
    election::Standing standing;
    standing.has_other = true;
    standing.sight = store::LeaseSight{
        .term = 3,
        .claim = {.holder = "other", .address = "127.0.0.1:1", .http_address = active_.address()},
        .left = absl::Hours(1)};
    auto started = Standby::Start(options, "me", [standing] { return standing; });
    EXPECT_TRUE(started.ok()) << started.status();
    if (started.ok()) standby_ = *std::move(started);
  }

  std::future<Answer> Ask(const http::HttpRequest& request) {
    // The future may be gone before the one who fulfils it is done with it.
    auto answer = std::make_shared<std::promise<Answer>>();
    EXPECT_TRUE(client_.Pass({.base_url = "http://" + standby_->http_address(), .trust = ""},
                             request, [answer](const Answer& given) { answer->set_value(given); }));
    return answer->get_future();
  }

  SilentServer active_;
  std::unique_ptr<Standby> standby_;
  WebhookRelay client_;
};

TEST_F(StandbyTest, AWebhookThatHangsHoldsNobodyUp) {
  std::future<Answer> hook = Ask(RequestOf("POST", "/webhook/github/main"));
  active_.Take();
  const Answer health = Ask(RequestOf("GET", "/healthz")).get();
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(health->status, 200);
  // Another one is on its way beside it.
  std::future<Answer> second = Ask(RequestOf("POST", "/webhook/github/main"));
  active_.Take();
  active_.Say("HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nok\n");
  const Answer answer = second.get();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(answer->body, "ok\n");
  // The first one is told so, now or by its own end.
  standby_->Stop();
  const Answer cut = hook.get();
  if (cut.ok()) {
    EXPECT_EQ(cut->status, 503);
  }
}

TEST_F(StandbyTest, AWebhookIsPostedAndPassedOnOnce) {
  EXPECT_EQ(Ask(RequestOf("GET", "/webhook/github/main")).get().value().status, 405);
  auto request = RequestOf("POST", "/webhook/github/main");
  request.headers["x-fairlead-relayed"] = "another";
  const Answer refused = Ask(request).get();
  ASSERT_TRUE(refused.ok()) << refused.status();
  EXPECT_EQ(refused->status, 503);
  EXPECT_THAT(refused->body, HasSubstr("no active controller"));
}

// Nobody listens at its address.
TEST_F(StandbyTest, ADeadActiveControllerIsNamedInsteadOfTheStandby) {
  const auto stub = v1::SyncService::NewStub(
      grpc::CreateChannel(standby_->grpc_address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::GetStatusResponse response;
  const grpc::Status status = stub->GetStatus(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(),
              AllOf(StartsWith("the active controller at 127.0.0.1:1 does not answer ("),
                    HasSubstr("another takes over within seconds: try again")));
  EXPECT_FALSE(base::IsConnectionFailure(status.error_message()));
}

TEST(WebhookRelayTest, TakesSoManyAndEndsThemWhenItStops) {
  SilentServer server;
  WebhookRelay relay;
  std::promise<absl::Status> last;
  std::size_t ended = 0;
  const auto pass = [&] {
    return relay.Pass({.base_url = "http://" + server.address(), .trust = ""},
                      RequestOf("POST", "/webhook/github/main"), [&](const Answer& given) {
                        EXPECT_TRUE(absl::IsUnavailable(given.status())) << given.status();
                        if (++ended == WebhookRelay::kMost) last.set_value(given.status());
                      });
  };
  for (std::size_t i = 0; i < WebhookRelay::kMost; ++i) EXPECT_TRUE(pass());
  EXPECT_FALSE(pass());
  relay.Stop();
  EXPECT_EQ(ended, WebhookRelay::kMost);
  EXPECT_THAT(last.get_future().get().message(), HasSubstr("passes nothing on"));
  EXPECT_FALSE(pass());
}

}  // namespace
}  // namespace fairlead::controller
