#include "controller/identity/peer_verifier.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"

#include "base/certificate.h"

namespace fairlead::identity {
namespace {

constexpr unsigned kWatchSeconds = 1;

// Thread-safe. Owned by the credentials.
class PeerVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  PeerVerifier(const AgentIdentities& identities, AuditSink& audit)
      : identities_(identities), audit_(audit) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* sync_status) override {
    const grpc::string_ref leaf = request->peer_cert();
    if (leaf.empty()) return true;
    // On this side the chain is without the peer's own.
    const grpc::string_ref others = request->peer_cert_full_chain();
    const std::string chain = absl::StrCat(std::string(leaf.data(), leaf.size()), "\n",
                                           std::string(others.data(), others.size()));
    const absl::Status good = identities_.CheckPeer(chain);
    if (good.ok()) return true;
    const auto facts = base::ReadCertificate(chain);
    const auto peer = ReadPeerName(chain);
    // What the certificate says is only claimed.
    audit_.Note({.who = absl::StrCat("certificate/", facts.ok() ? facts->serial : "unknown"),
                 .from = "",
                 .what = "connect",
                 .resource = peer.ok() ? absl::StrCat("server/", peer->server) : "",
                 .allowed = false,
                 .reason = std::string(good.message())});
    *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(good.message()));
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const AgentIdentities& identities_;
  AuditSink& audit_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const std::string& certificate_file,
                                                               const std::string& key_file,
                                                               const AgentIdentities& identities,
                                                               AuditSink& audit) {
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          key_file, certificate_file, kWatchSeconds));
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      grpc::experimental::ExternalCertificateVerifier::Create<PeerVerifier>(identities, audit));
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace fairlead::identity
