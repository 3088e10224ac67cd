// What a whole controller refuses on its two ports before it asks what is wanted.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/certificate.h"
#include "base/file.h"
#include "controller/testing/controller_fixture.h"
#include "fairlead/v1/access_service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

int ConnectTo(const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // A test that would hang fails instead.
  const timeval limit{20, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  return socket;
}

struct TlsOffer {
  int oldest = TLS1_2_VERSION;
  int newest = TLS1_3_VERSION;
  // Of TLS 1.2 and older; the security level is that of long ago, so that only the server refuses.
  std::string ciphers = "ALL:@SECLEVEL=0";
};

// A TLS client that does not look at certificates.
class TlsClient {
 public:
  TlsClient(const std::string& address, const TlsOffer& offer)
      : socket_(ConnectTo(address)), context_(SSL_CTX_new(TLS_client_method())) {
    EXPECT_EQ(SSL_CTX_set_min_proto_version(context_, offer.oldest), 1);
    EXPECT_EQ(SSL_CTX_set_max_proto_version(context_, offer.newest), 1);
    EXPECT_EQ(SSL_CTX_set_cipher_list(context_, offer.ciphers.c_str()), 1) << offer.ciphers;
    const std::array<unsigned char, 3> http2{2, 'h', '2'};
    EXPECT_EQ(SSL_CTX_set_alpn_protos(context_, http2.data(), http2.size()), 0);
    tls_ = SSL_new(context_);
    SSL_set_fd(tls_, socket_);
    connected_ = SSL_connect(tls_) == 1;
  }
  ~TlsClient() {
    SSL_free(tls_);
    SSL_CTX_free(context_);
    ::close(socket_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  // Everything that comes until the end.
  std::string Ask(const std::string& text) {
    EXPECT_EQ(SSL_write(tls_, text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
    std::string answer;
    std::array<char, 4096> bytes;
    int n = 0;
    while ((n = SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))) > 0) {
      answer.append(bytes.data(), static_cast<std::size_t>(n));
    }
    return answer;
  }

 private:
  const int socket_;
  SSL_CTX* const context_;
  SSL* tls_ = nullptr;
  bool connected_ = false;
};

std::string Get(const std::string& target, const std::string& header = "") {
  return absl::StrCat("GET ", target, " HTTP/1.1\r\nConnection: close\r\n", header, "\r\n");
}

class LimitsRpcTest : public ControllerFixture {
 protected:
  std::string Data(const std::string& name) const {
    return base::ReadFile(folder_.File("data/" + name)).value();
  }
  // Of a person whom the authority in the data directory vouches for.
  std::unique_ptr<v1::AccessService::Stub> AsOperator() const {
    const absl::Time now = base::Clock::Real().Now();
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = Data("tls/ca.crt");
    ssl.pem_private_key = base::MakePrivateKey().value();
    ssl.pem_cert_chain =
        base::IssueCertificate({.common_name = "ann",
                                .uris = {"fairlead://person/ann"},
                                .not_before = now - absl::Hours(1),
                                .not_after = now + absl::Hours(1)},
                               ssl.pem_private_key, Data("tls/ca.crt"), Data("tls/ca.key"))
            .value();
    return v1::AccessService::NewStub(
        grpc::CreateChannel(controller_->grpc_address(), grpc::SslCredentials(ssl)));
  }
  std::string KeyFrom(const std::string& network) const {
    v1::CreateKeyRequest request;
    request.set_name("from-" + network.substr(0, network.find('/')));
    request.add_cidrs(network);
    request.add_permissions("system:*:read");
    v1::CreateKeyResponse response;
    grpc::ClientContext context;
    const grpc::Status status = AsOperator()->CreateKey(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.key();
  }
};

TEST_F(LimitsRpcTest, OnlyModernTlsIsSpoken) {
  ControllerOptions options = Options();
  options.dev = false;
  Start(options);
  struct Case {
    const char* what;
    TlsOffer offer;
    bool is_good;
  };
  const std::vector<Case> cases = {
      {"TLS 1.3", {.oldest = TLS1_3_VERSION}, true},
      {"TLS 1.2", {.newest = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}, true},
      {"TLS 1.1", {.oldest = TLS1_VERSION, .newest = TLS1_1_VERSION}, false},
      {"CBC",
       {.newest = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"},
       false},
      {"CBC and SHA-1",
       {.newest = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"},
       false},
      {"no ephemeral key",
       {.newest = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256:@SECLEVEL=0"},
       false},
  };
  for (const std::string& port : {controller_->grpc_address(), controller_->http_address()}) {
    for (const Case& c : cases) {
      EXPECT_EQ(TlsClient(port, c.offer).connected(), c.is_good) << port << " " << c.what;
    }
  }
}

TEST_F(LimitsRpcTest, AKeyOfANetworkReadsMetricsFromThereAlone) {
  ControllerOptions options = Options();
  options.dev = false;
  options.http_listen = "0.0.0.0:0";
  Start(options);
  const auto ask = [this](const std::string& header) {
    return TlsClient(controller_->http_address(), {}).Ask(Get("/metrics", header));
  };
  const auto bearer = [](const std::string& key) {
    return absl::StrCat("Authorization: Bearer ", key, "\r\n");
  };
  EXPECT_THAT(ask(""), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask(bearer(KeyFrom("127.0.0.0/8"))),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("fairlead_connections{port=\"http\"}")));
  EXPECT_THAT(ask(bearer(KeyFrom("10.0.0.0/8"))),
              AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("may not be used from 127.0.0.1")));
}

TEST_F(LimitsRpcTest, TooManyCallsAreRefusedAndAuditedOnce) {
  ControllerOptions options = Options();
  options.require_login = true;
  options.limits.calls_per_second = 1;
  Start(options);
  const auto stub = StubOf<v1::AccessService>();
  v1::LoginRequest login;
  login.set_user("root");
  login.set_password("correct horse battery");
  login.set_first_token(first_token_);
  v1::LoginResponse session;
  ASSERT_TRUE(Call(stub, &v1::AccessService::Stub::Login, login, &session).ok());

  int limited = 0;
  for (int i = 0; i < 60; ++i) {
    v1::WhoAmIResponse response;
    const grpc::Status status =
        Call(stub, &v1::AccessService::Stub::WhoAmI, v1::WhoAmIRequest(), &response);
    EXPECT_FALSE(status.ok());
    if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) continue;
    ++limited;
    EXPECT_THAT(status.error_message(), HasSubstr("127.0.0.1"));
    EXPECT_THAT(status.error_message(), HasSubstr("try again in 1s"));
  }
  EXPECT_GT(limited, 0);
  // Who has logged in is not concerned, though from the same address.
  v1::ListAuditResponse audit;
  ASSERT_TRUE(Call(stub, &v1::AccessService::Stub::ListAudit, v1::ListAuditRequest(), &audit,
                   session.token())
                  .ok());
  int told = 0;
  for (const v1::AuditRecord& record : audit.records()) {
    told += record.reason().find("too many calls") == std::string::npos ? 0 : 1;
  }
  EXPECT_EQ(told, 1);

  // The address is the same, so that the other port refuses it too, sooner or later.
  std::string answer;
  for (int i = 0; i < 200 && answer.find(" 429 ") == std::string::npos; ++i) {
    const int socket = ConnectTo(controller_->http_address());
    const std::string request = Get("/healthz");
    EXPECT_EQ(::send(socket, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::array<char, 4096> bytes;
    ssize_t n = 0;
    answer.clear();
    while ((n = ::recv(socket, bytes.data(), bytes.size(), 0)) > 0) {
      answer.append(bytes.data(), static_cast<std::size_t>(n));
    }
    ::close(socket);
  }
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("\r\nRetry-After: 1\r\n")));
}

}  // namespace
}  // namespace fairlead::controller
