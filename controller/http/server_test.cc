#include "controller/http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <deque>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace fairlead::http {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A client that speaks bytes.
class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // A test that would hang fails instead.
    const timeval limit{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() {
    if (socket_ >= 0) ::close(socket_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int socket() const { return socket_; }
  void Send(const std::string& text) {
    // What a server that has closed does not take is of no interest.
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  void EndOfInput() { ::shutdown(socket_, SHUT_WR); }
  // One whole reply; what came before the end when the server closes earlier.
  std::string Receive() {
    while (true) {
      const std::size_t head = buffer_.find("\r\n\r\n");
      if (head != std::string::npos) {
        const std::size_t total = head + 4 + BodyLength(buffer_.substr(0, head + 2));
        if (buffer_.size() >= total) {
          std::string reply = buffer_.substr(0, total);
          buffer_.erase(0, total);
          return reply;
        }
      }
      if (!Fill()) return std::exchange(buffer_, "");
    }
  }
  // Waits until the server closes; false when it sends more or the time is over.
  bool IsClosed() { return buffer_.empty() && !Fill() && !timed_out_; }

 private:
  static std::size_t BodyLength(const std::string& head) {
    constexpr absl::string_view kName = "Content-Length: ";
    const std::size_t at = head.find(kName.data());
    if (at == std::string::npos) return 0;
    const std::size_t begin = at + kName.size();
    std::size_t length = 0;
    EXPECT_TRUE(absl::SimpleAtoi(head.substr(begin, head.find("\r\n", begin) - begin), &length));
    return length;
  }
  bool Fill() {
    std::array<char, 65536> bytes;
    const ssize_t n = ::recv(socket_, bytes.data(), bytes.size(), 0);
    timed_out_ = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (n <= 0) return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(n));
    return true;
  }

  int socket_;
  bool timed_out_ = false;
  std::string buffer_;
};

std::unique_ptr<Server> Started(Server::Options options) {
  auto server = Server::Start(std::move(options));
  EXPECT_TRUE(server.ok()) << server.status();
  return std::move(server).value();
}

HttpReply Echo(const HttpRequest& request) {
  return {.body = absl::StrCat(request.method, " ", request.target, " ", request.Header("x-test"),
                               " ", request.body)};
}

constexpr char kGet[] = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(ServerTest, AnswersAndKeepsTheConnection) {
  const auto server = Started({.handler = Echo});
  Client client(server->port());
  client.Send(
      "POST /a?b=%20c HTTP/1.1\r\nHost: h\r\nX-TEST: one\r\nx-test: two\r\n"
      "Content-Length: 4\r\n\r\nbody");
  const std::string reply = client.Receive();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(reply, HasSubstr("Connection: keep-alive\r\n"));
  EXPECT_THAT(reply, HasSubstr("\r\n\r\nPOST /a?b=%20c one, two body"));
  client.Send(
      "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_THAT(client.Receive(), HasSubstr("\r\n\r\nPUT /  abcde"));
}

TEST(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = Started({.handler = Echo});
  Client client(server->port());
  client.Send(
      "GET /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
      "GET /3 HTTP/1.1\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.Receive(), HasSubstr("\r\n\r\nGET /1"));
  EXPECT_THAT(client.Receive(), HasSubstr("\r\n\r\nPOST /2  abc"));
  EXPECT_THAT(client.Receive(), HasSubstr("\r\n\r\nGET /3"));
  EXPECT_TRUE(client.IsClosed());
}

TEST(ServerTest, HeadHasNoBody) {
  const auto server = Started({.handler = Echo});
  Client client(server->port());
  client.Send("HEAD /x HTTP/1.0\r\n\r\n");
  client.EndOfInput();
  const std::string reply = client.Receive();
  EXPECT_THAT(reply, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_TRUE(absl::EndsWith(reply, "\r\n\r\n")) << reply;
}

TEST(ServerTest, RepliesCarryTheirHeaders) {
  const auto server = Started({.handler = [](const HttpRequest&) {
    return HttpReply{.status = 405, .body = "no\n", .headers = {{"Allow", "POST"}}};
  }});
  Client client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), HasSubstr("\r\nAllow: POST\r\n"));
}

TEST(ServerTest, SlowClientIsCut) {
  std::atomic<int> calls = 0;
  const auto server = Started({.handler =
                                   [&](const HttpRequest& request) {
                                     ++calls;
                                     return Echo(request);
                                   },
                               .read_timeout = absl::Milliseconds(150)});
  Client silent(server->port());
  Client half(server->port());
  half.Send("POST /x HTTP/1.1\r\nContent-Le");
  Client idle(server->port());
  idle.Send(kGet);
  EXPECT_THAT(idle.Receive(), HasSubstr("GET /x"));
  EXPECT_TRUE(silent.IsClosed());
  EXPECT_TRUE(half.IsClosed());
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_EQ(calls, 1);
}

TEST(ServerTest, BadRequestsAreRefused) {
  std::atomic<int> calls = 0;
  const auto server = Started({.handler =
                                   [&](const HttpRequest& request) {
                                     ++calls;
                                     return Echo(request);
                                   },
                               .header_limit = 1024,
                               .body_limit = 1000});
  struct Case {
    std::string request;
    int status;
  };
  const std::string tls_hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  const std::vector<Case> cases = {
      {absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(5000, 'x'), "\r\n\r\n"), 431},
      {absl::StrCat("GET /", std::string(5000, 'x'), " HTTP/1.1\r\n\r\n"), 431},
      {absl::StrCat("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", std::string(1001, 'x')),
       413},
      {absl::StrCat("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), 413},
      {absl::StrCat("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n",
                    std::string(2000, 'x'), "\r\n0\r\n\r\n"),
       413},
      {tls_hello + " not for this port\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
  };
  for (const Case& c : cases) {
    Client client(server->port());
    client.Send(c.request);
    EXPECT_THAT(client.Receive(), StartsWith(absl::StrCat("HTTP/1.1 ", c.status, " ")))
        << c.request.substr(0, 60);
    EXPECT_TRUE(client.IsClosed()) << c.request.substr(0, 60);
  }
  EXPECT_EQ(calls, 0);
  Client client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerTest, TruncatedBodyReachesNobody) {
  std::atomic<int> calls = 0;
  const auto server = Started({.handler = [&](const HttpRequest& request) {
    ++calls;
    return Echo(request);
  }});
  Client client(server->port());
  client.Send("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly this");
  client.EndOfInput();
  EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(calls, 0);
}

int OpenDescriptors() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

TEST(ServerTest, WhoWaitsLongestMakesRoom) {
  constexpr int kClients = 200;
  constexpr int kLimit = 16;
  std::atomic<int> evicted = 0;
  Server::Options options;
  options.handler = Echo;
  options.connections.total = kLimit;
  options.on_cut = [&](absl::string_view why) { evicted += why == "evicted" ? 1 : 0; };
  const auto server = Started(std::move(options));
  const int before = OpenDescriptors();
  std::deque<Client> slow;
  for (int i = 0; i < kClients; ++i) {
    slow.emplace_back(server->port());
    slow.back().Send("GET /x HTTP/1.1\r\n");
  }
  // One that says at once what it wants is served however many dally.
  Client quick(server->port());
  quick.Send(kGet);
  EXPECT_THAT(quick.Receive(), StartsWith("HTTP/1.1 200 "));
  EXPECT_LE(OpenDescriptors(), before + kClients + 1 + kLimit + 1);
  EXPECT_GE(evicted, kClients + 1 - kLimit);
  EXPECT_TRUE(slow.front().IsClosed());
  slow.back().Send("\r\n");
  EXPECT_THAT(slow.back().Receive(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerTest, OneAddressHasItsShare) {
  Server::Options options;
  options.handler = Echo;
  options.connections.per_address = 1;
  const auto server = Started(std::move(options));
  Client first(server->port());
  Client second(server->port());
  second.Send(kGet);
  EXPECT_THAT(second.Receive(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(first.IsClosed());
}

TEST(ServerTest, AConnectionEndsAfterSoManyRequests) {
  const auto server = Started({.handler = Echo, .max_requests = 2});
  Client client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), HasSubstr("Connection: keep-alive\r\n"));
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.IsClosed());
}

TEST(ServerTest, DripsAreCutAndTheirAddressIsKnown) {
  const auto server = Started(
      {.handler = [](const HttpRequest& request) { return HttpReply{.body = request.address}; },
       .read_timeout = absl::Milliseconds(300)});
  Client drip(server->port());
  // Byte after byte until it is cut: each gains nothing.
  const std::string head = "GET /x HTTP/1.1\r\nHost: h\r\nX-Long: ";
  std::size_t sent = 0;
  pollfd ended{.fd = drip.socket(), .events = POLLIN, .revents = 0};
  while (::poll(&ended, 1, 10) == 0) {
    drip.Send(sent < head.size() ? head.substr(sent, 1) : "x");
    ++sent;
  }
  EXPECT_EQ(drip.Receive(), "");
  Client client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), HasSubstr("\r\n\r\n127.0.0.1"));
}

TEST(ServerTest, StopEndsIdleConnections) {
  const auto server = Started({.handler = Echo});
  Client idle(server->port());
  idle.Send(kGet);
  EXPECT_THAT(idle.Receive(), HasSubstr("GET /x"));
  Client half(server->port());
  half.Send("GET /x HT");
  server->Stop();
  EXPECT_TRUE(idle.IsClosed());
  server->Stop();
}

TEST(ServerTest, StopLetsAnAnswerFinish) {
  std::promise<void> entered;
  std::promise<void> released;
  const std::string body(4u << 20, 'x');
  const auto server = Started({.handler = [&](const HttpRequest&) {
    entered.set_value();
    released.get_future().wait();
    return HttpReply{.body = body};
  }});
  Client client(server->port());
  client.Send(kGet);
  entered.get_future().wait();
  std::thread stopping([&] { server->Stop(); });
  released.set_value();
  const std::string reply = client.Receive();
  EXPECT_TRUE(absl::EndsWith(reply, body));
  stopping.join();
}

TEST(ServerTest, StopDoesNotWaitForAClientThatDoesNotRead) {
  const auto server = Started(
      {.handler = [](const HttpRequest&) { return HttpReply{.body = std::string(64u << 20, 'x')}; },
       .read_timeout = absl::Minutes(5),
       .stop_timeout = absl::Milliseconds(50)});
  Client client(server->port());
  client.Send(kGet);
  std::array<char, 1> first;
  EXPECT_EQ(::recv(client.socket(), first.data(), first.size(), 0), 1);
  server->Stop();
}

TEST(ServerTest, AnAnswerThatComesLaterHoldsNobodyUp) {
  std::promise<ReplyFunction> asked;
  const auto server = Started(
      {.handler = Echo, .later = [&asked](const HttpRequest& request, const ReplyFunction& reply) {
         if (request.target != "/later") return false;
         asked.set_value(reply);
         return true;
       }});
  Client slow(server->port());
  slow.Send(
      "POST /later HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /next HTTP/1.1\r\nX: y\r\n\r\n");
  const ReplyFunction reply = asked.get_future().get();
  Client other(server->port());
  other.Send(kGet);
  EXPECT_THAT(other.Receive(), HasSubstr("\r\n\r\nGET /x"));
  reply({.status = 202, .body = "late"});
  reply({.body = "twice"});
  EXPECT_THAT(slow.Receive(), AllOf(StartsWith("HTTP/1.1 202 "), HasSubstr("\r\n\r\nlate")));
  EXPECT_THAT(slow.Receive(), HasSubstr("\r\n\r\nGET /next"));
}

TEST(ServerTest, WhoForgetsToAnswerIsAnsweredFor) {
  ReplyFunction kept;
  auto server = Started({.handler = Echo,
                         .later =
                             [&kept](const HttpRequest&, const ReplyFunction& reply) {
                               kept = reply;
                               return true;
                             },
                         .reply_timeout = absl::Milliseconds(1)});
  Client client(server->port());
  client.Send(kGet);
  EXPECT_THAT(client.Receive(), StartsWith("HTTP/1.1 503 "));
  server.reset();
  kept({.body = "to nobody"});
}

TEST(ServerTest, StopDoesNotWaitLongForALaterAnswer) {
  std::promise<ReplyFunction> asked;
  const auto server = Started({.handler = Echo,
                               .later =
                                   [&asked](const HttpRequest&, const ReplyFunction& reply) {
                                     asked.set_value(reply);
                                     return true;
                                   },
                               .stop_timeout = absl::Milliseconds(50)});
  Client client(server->port());
  client.Send(kGet);
  const ReplyFunction reply = asked.get_future().get();
  server->Stop();
  EXPECT_TRUE(client.IsClosed());
  reply({.body = "to nobody"});
}

TEST(ServerTest, WrongOptionsAreNamed) {
  const auto code = [](Server::Options options) {
    options.handler = Echo;
    return Server::Start(std::move(options)).status();
  };
  EXPECT_EQ(code({.address = "localhost"}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.tls_cert = "/x.pem"}).code(), absl::StatusCode::kInvalidArgument);
  const absl::Status tls = code({.tls_cert = "/no/x.pem", .tls_key = "/no/y.pem"});
  EXPECT_EQ(tls.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(tls.message()), HasSubstr("/no/x.pem"));
  const auto server = Started({.handler = Echo});
  const absl::Status taken = code({.port = server->port()});
  EXPECT_EQ(taken.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(taken.message()), HasSubstr(std::to_string(server->port())));
}

TEST(ServerTest, SpeaksTls) {
  std::string folder = (std::filesystem::temp_directory_path() / "fairlead-tls-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string cert = folder + "/cert.pem";
  const std::string key = folder + "/key.pem";
  EVP_PKEY* made_key = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(made), 0);
  X509_gmtime_adj(X509_getm_notAfter(made), 3600);
  X509_set_pubkey(made, made_key);
  X509_sign(made, made_key, EVP_sha256());
  FILE* file = ::fopen(cert.c_str(), "w");
  PEM_write_X509(file, made);
  ::fclose(file);
  file = ::fopen(key.c_str(), "w");
  PEM_write_PrivateKey(file, made_key, nullptr, nullptr, 0, nullptr, nullptr);
  ::fclose(file);

  const auto server = Started({.handler = Echo, .tls_cert = cert, .tls_key = key});
  Client client(server->port());
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* tls = SSL_new(context);
  SSL_set_fd(tls, client.socket());
  ASSERT_EQ(SSL_connect(tls), 1);
  X509* shown = SSL_get1_peer_certificate(tls);
  EXPECT_EQ(X509_cmp(shown, made), 0);
  EXPECT_GT(SSL_write(tls, kGet, sizeof(kGet) - 1), 0);
  std::string reply;
  std::array<char, 4096> bytes;
  while (!absl::StrContains(reply, "GET /x")) {
    const int n = SSL_read(tls, bytes.data(), static_cast<int>(bytes.size()));
    ASSERT_GT(n, 0) << reply;
    reply.append(bytes.data(), static_cast<std::size_t>(n));
  }
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK"));
  // Plain text on this port gets no answer.
  Client plain(server->port());
  plain.Send(kGet);
  EXPECT_FALSE(absl::StartsWith(plain.Receive(), "HTTP"));

  X509_free(shown);
  SSL_free(tls);
  SSL_CTX_free(context);
  X509_free(made);
  EVP_PKEY_free(made_key);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fairlead::http
