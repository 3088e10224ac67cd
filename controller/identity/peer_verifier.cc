#include "controller/identity/peer_verifier.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/log.h"
#include "base/status.h"

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

absl::Status CheckController(const std::string& chain, const RelayTrust& trust, absl::Time now) {
  RETURN_IF_ERROR(base::VerifyChain({.chain = chain,
                                     .roots = trust.authorities,
                                     .machine_roots = trust.authorities.empty(),
                                     .use = base::CertificateUse::kServer,
                                     .now = now,
                                     .early = kEarlyPeer}));
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(chain));
  if (std::find(facts.uris.begin(), facts.uris.end(), kControllerUri) != facts.uris.end()) {
    return absl::OkStatus();
  }
  absl::string_view host(trust.address);
  host = host.substr(0, host.rfind(':'));
  if (absl::ConsumePrefix(&host, "[")) host.remove_suffix(1);
  return base::VerifyHost(chain, std::string(host));
}

// Thread-safe. Owned by the credentials.
class ControllerVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  ControllerVerifier(RelayTrust trust, const base::Clock& clock)
      : trust_(std::move(trust)), clock_(clock) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* sync_status) override {
    const grpc::string_ref chain = request->peer_cert_full_chain();
    const absl::Status good =
        CheckController(std::string(chain.data(), chain.size()), trust_, clock_.Now());
    if (good.ok()) return true;
    base::LogWarning("relay", "the controller at ", trust_.address, ": ", good.message());
    *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(good.message()));
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const RelayTrust trust_;
  const base::Clock& clock_;
};

}  // namespace

std::shared_ptr<grpc::ChannelCredentials> MakeRelayCredentials(const RelayTrust& trust,
                                                               const base::Clock& clock) {
  namespace tls = grpc::experimental;
  // gRPC wants some root of clients, and asks nobody about it when it does not verify by itself.
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<tls::StaticDataCertificateProvider>(
      trust.authorities.empty() ? trust.identity.certificate : trust.authorities,
      std::vector<tls::IdentityKeyCertPair>{
          {.private_key = trust.identity.key, .certificate_chain = trust.identity.certificate}}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<ControllerVerifier>(trust, clock));
  return tls::TlsCredentials(options);
}

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
