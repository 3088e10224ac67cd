// handshake_bench ADDRESS AUTHORITY KEY: what a connection with certificates of both sides costs
// until the server has sent its first bytes, with the controller at ADDRESS and, in turns with it,
// with a bare gRPC server in this process. AUTHORITY and KEY are the files of whom the controller
// believes. Prints one JSON row a line, as tools/bench collects them.
#include <arpa/inet.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include "base/certificate.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::bench {
namespace {

constexpr int kSamples = 300;
constexpr double kMostOfFloor = 1.5;

struct Identity {
  std::string certificate;
  std::string key;
};

absl::StatusOr<Identity> Issue(const std::string& authority, const std::string& authority_key,
                               base::CertificateUse use) {
  const absl::Time now = base::Clock::Real().Now();
  Identity made;
  ASSIGN_OR_RETURN(made.key, base::MakePrivateKey());
  base::CertificateTerms terms{.common_name = "bench",
                               .not_before = now - absl::Hours(1),
                               .not_after = now + absl::Hours(1),
                               .use = use};
  if (use == base::CertificateUse::kClient) {
    terms.uris.emplace_back("fairlead://user/bench");
  } else {
    terms.addresses.emplace_back("127.0.0.1");
  }
  ASSIGN_OR_RETURN(made.certificate,
                   base::IssueCertificate(terms, made.key, authority, authority_key));
  return made;
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

Context ContextOf(const std::string& folder, const Identity& client) {
  Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::string certificate = folder + "/client.pem";
  const std::string key = folder + "/client.key";
  const std::array<unsigned char, 3> http2{2, 'h', '2'};
  const bool good =
      base::WriteFileAtomically(certificate, client.certificate).ok() &&
      base::WriteFileAtomically(key, client.key).ok() &&
      SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
      SSL_CTX_set_alpn_protos(context.get(), http2.data(), http2.size()) == 0;
  if (!good) context.reset();
  return context;
}

// Milliseconds; negative when there was no handshake.
double Handshake(SSL_CTX* context, uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto begin = std::chrono::steady_clock::now();
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  SSL* const tls = SSL_new(context);
  std::array<char, 64> bytes;
  // The first bytes come when the client's certificate has been looked at.
  const bool good = ::connect(socket, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 &&
                    SSL_set_fd(tls, socket) == 1 && SSL_connect(tls) == 1 &&
                    SSL_read(tls, bytes.data(), static_cast<int>(bytes.size())) > 0;
  const double took =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  SSL_free(tls);
  ::close(socket);
  return good ? took : -1;
}

double MedianOf(std::vector<double>& samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

std::unique_ptr<grpc::Server> BareServer(const std::string& authority, const Identity& own,
                                         int& port) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = authority;
  options.pem_key_cert_pairs.push_back({own.key, own.certificate});
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(options), &port);
  // A server needs some service.
  static grpc::CallbackGenericService service;
  builder.RegisterCallbackGenericService(&service);
  return builder.BuildAndStart();
}

absl::Status Measure(const std::string& address, const std::string& authority_file,
                     const std::string& key_file) {
  uint32_t port = 0;
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) {
    return absl::InvalidArgumentError(address + " is not address:port");
  }
  ASSIGN_OR_RETURN(const std::string authority, base::ReadFile(authority_file));
  ASSIGN_OR_RETURN(const std::string authority_key, base::ReadFile(key_file));
  ASSIGN_OR_RETURN(const Identity client,
                   Issue(authority, authority_key, base::CertificateUse::kClient));
  ASSIGN_OR_RETURN(const Identity own,
                   Issue(authority, authority_key, base::CertificateUse::kServer));
  const Context context = ContextOf(key_file.substr(0, key_file.rfind('/')), client);
  if (context == nullptr) return absl::InternalError("no TLS to be had");
  int bare_port = 0;
  const std::unique_ptr<grpc::Server> bare = BareServer(authority, own, bare_port);
  if (bare == nullptr) return absl::InternalError("no bare server to be had");
  std::vector<double> ours;
  std::vector<double> floors;
  for (int i = 0; i < kSamples; ++i) {
    floors.push_back(Handshake(context.get(), static_cast<uint16_t>(bare_port)));
    ours.push_back(Handshake(context.get(), static_cast<uint16_t>(port)));
    if (floors.back() < 0 || ours.back() < 0) {
      return absl::UnavailableError(ours.back() < 0 ? address + " refuses the handshake"
                                                    : "the bare server refuses the handshake");
    }
  }
  bare->Shutdown();
  absl::PrintF(
      "{\"name\": \"mtls_handshake\", \"value\": %.4f, \"unit\": \"ms\", \"floor\": %.4f, "
      "\"target\": %.3f}\n",
      MedianOf(ours), MedianOf(floors), kMostOfFloor);
  return absl::OkStatus();
}

}  // namespace
}  // namespace fairlead::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    fairlead::base::LogError("handshake_bench", "usage: handshake_bench ADDRESS AUTHORITY KEY");
    return 2;
  }
  const absl::Status measured = fairlead::bench::Measure(argv[1], argv[2], argv[3]);
  if (measured.ok()) return EXIT_SUCCESS;
  fairlead::base::LogError("handshake_bench", measured.message());
  return EXIT_FAILURE;
}
