// What comes back from a provider. The whole login is tested with a real controller:
// integration/oidc_itest.cc.
#include "cli/oidc_login.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <thread>

#include "absl/strings/str_cat.h"

#include "cli/loopback_listener.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(OidcLoginTest, CodeIsFoundInWhatIsPasted) {
  for (const char* address :
       {"http://127.0.0.1:7499/callback?code=a%2Fb&state=s1", "/callback?state=s1&code=a%2fb",
        "http://127.0.0.1:7499/callback?iss=x&state=s1&code=a/b#top"}) {
    EXPECT_EQ(CodeOf(address, "s1").value_or("?"), "a/b") << address;
  }
}

TEST(OidcLoginTest, AnswerOfAnotherLoginIsNone) {
  for (const char* address : {"", "/callback", "/callback?code=a", "/callback?code=a&state=s2",
                              "/callback?code=a#state=s1", "/callback?state=s1", "%", "?%2&%=%4"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CodeOf(address, "s1").status())) << address;
  }
}

TEST(OidcLoginTest, RefusalOfTheProviderIsShown) {
  const absl::Status refused =
      CodeOf("/callback?error=access_denied&error_description=not+today%1b%5b2J&state=s1", "s1")
          .status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("access_denied: not today"), ::testing::Not(HasSubstr("\x1b"))));
}

TEST(OidcLoginTest, ChallengeIsThatOfTheStandard) {
  // The example of RFC 7636, appendix B.
  EXPECT_EQ(ChallengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

// Sends `request` to the port and reads to the end.
std::string Ask(uint16_t port, const std::string& request) {
  namespace asio = boost::asio;
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  boost::system::error_code failed;
  socket.connect({asio::ip::address_v4::loopback(), port}, failed);
  asio::write(socket, asio::buffer(request), failed);
  std::string answer;
  asio::read(socket, asio::dynamic_buffer(answer), failed);
  return answer;
}

TEST(LoopbackListenerTest, ServesUntilTheLastPage) {
  const auto listener = LoopbackListener::Open(0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const uint16_t port = (*listener)->port();
  // One that says nothing must not keep the others waiting.
  boost::asio::io_context io;
  boost::asio::ip::tcp::socket silent(io);
  silent.connect({boost::asio::ip::address_v4::loopback(), port});
  std::string other;
  std::string posted;
  std::string last;
  std::thread browser([&] {
    other = Ask(port, "GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n");
    posted = Ask(port, "POST /last HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    last = Ask(port, "GET /last?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
  });
  const absl::Status served = (*listener)->Serve(
      [](const std::string& target) -> LoopbackListener::Page {
        if (target == "/last?a=b") return {.text = "bye\n", .is_last = true};
        return {404, "not here\n"};
      },
      absl::Minutes(1));
  // Who is still connected is let go with it.
  browser.join();
  EXPECT_TRUE(served.ok()) << served;
  EXPECT_THAT(other, AllOf(HasSubstr("404"), HasSubstr("not here")));
  EXPECT_THAT(posted, HasSubstr("405"));
  EXPECT_THAT(last, AllOf(HasSubstr("200 OK"), HasSubstr("no-store"), HasSubstr("bye")));
}

TEST(LoopbackListenerTest, TakenPortIsSaid) {
  const auto first = LoopbackListener::Open(0);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = LoopbackListener::Open((*first)->port());
  EXPECT_THAT(std::string(second.status().message()),
              AllOf(HasSubstr("cannot listen on 127.0.0.1:"), HasSubstr("--port")));
}

TEST(LoopbackListenerTest, NobodyWhoComesIsSaid) {
  const auto listener = LoopbackListener::Open(0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const absl::Status served = (*listener)->Serve(
      [](const std::string&) { return LoopbackListener::Page(); }, absl::Milliseconds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(served)) << served;
  EXPECT_THAT(std::string(served.message()), HasSubstr("--no-browser"));
}

}  // namespace
}  // namespace fairlead::cli
