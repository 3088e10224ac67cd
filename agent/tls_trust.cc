#include "agent/tls_trust.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/status.h"

namespace fairlead::agent {

namespace {

constexpr absl::string_view kControllerUri = "fairlead://controller";

std::string HostOf(absl::string_view address) {
  for (const absl::string_view scheme : {"dns:///", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&address, scheme)) break;
  }
  if (absl::ConsumePrefix(&address, "[")) return std::string(address.substr(0, address.find(']')));
  return std::string(address.substr(0, address.rfind(':')));
}

// The certificate of the chain with this fingerprint; empty when there is none.
std::string FindByFingerprint(const std::string& chain, const std::string& fingerprint) {
  for (const std::string& one : base::SplitCertificates(chain)) {
    const auto facts = base::ReadCertificate(one);
    if (facts.ok() && facts->fingerprint == fingerprint) return one;
  }
  return "";
}

// gRPC wants some root of clients, and asks nobody about it when it does not verify by itself.
std::string SomeRoot() {
  const absl::StatusOr<std::string> key = base::MakePrivateKey();
  if (!key.ok()) return "";
  return base::IssueCertificate({.common_name = "unused",
                                 .not_before = absl::UnixEpoch(),
                                 .not_after = absl::UnixEpoch() + absl::Hours(1),
                                 .use = base::CertificateUse::kAuthority},
                                *key, "", *key)
      .value_or("");
}

// Thread-safe. Owned by the credentials.
class ControllerVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  ControllerVerifier(ControllerTrust trust, const base::Clock& clock,
                     std::shared_ptr<HandshakeVerdict> verdict)
      : trust_(std::move(trust)), clock_(clock), verdict_(std::move(verdict)) {}

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)>, grpc::Status* sync_status) override {
    const grpc::string_ref chain = request->peer_cert_full_chain();
    const absl::Status status =
        VerifyController(std::string(chain.data(), chain.size()), trust_, clock_.Now());
    verdict_->Set(status);
    if (!status.ok()) {
      *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(status.message()));
    }
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  const ControllerTrust trust_;
  const base::Clock& clock_;
  const std::shared_ptr<HandshakeVerdict> verdict_;
};

}  // namespace

absl::Status VerifyController(const std::string& chain, const ControllerTrust& trust,
                              absl::Time now) {
  std::string roots = trust.authorities;
  if (!trust.fingerprint.empty()) {
    roots = FindByFingerprint(chain, trust.fingerprint);
    if (roots.empty()) {
      return absl::PermissionDeniedError(
          absl::StrCat("this is not the controller that made the token: it has no certificate ",
                       "with the fingerprint ", base::FingerprintText(trust.fingerprint)));
    }
  }
  RETURN_IF_ERROR(
      base::VerifyChain({.chain = chain,
                         .roots = roots,
                         .machine_roots = roots.empty(),
                         .use = base::CertificateUse::kServer,
                         .now = trust.any_time ? std::nullopt : std::optional<absl::Time>(now)}),
      absl::StrCat("the controller at ", trust.address));
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(chain));
  // Such a certificate is made by a controller for itself alone, whatever its address.
  if (std::find(facts.uris.begin(), facts.uris.end(), kControllerUri) != facts.uris.end()) {
    return absl::OkStatus();
  }
  if (absl::StartsWith(trust.address, "unix:")) return absl::OkStatus();
  return base::Annotate(base::VerifyHost(chain, HostOf(trust.address)),
                        absl::StrCat("the controller at ", trust.address));
}

std::shared_ptr<grpc::ChannelCredentials> MakeTrustingCredentials(
    const ControllerTrust& trust, const ClientIdentity& identity, const base::Clock& clock,
    const std::shared_ptr<HandshakeVerdict>& verdict) {
  namespace tls = grpc::experimental;
  const std::string roots = trust.authorities.empty() ? SomeRoot() : trust.authorities;
  std::vector<tls::IdentityKeyCertPair> pairs;
  if (!identity.certificate.empty()) {
    pairs.push_back({.private_key = identity.key, .certificate_chain = identity.certificate});
  }
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<tls::StaticDataCertificateProvider>(roots, pairs));
  options.watch_root_certs();
  if (!pairs.empty()) options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<ControllerVerifier>(trust, clock, verdict));
  return tls::TlsCredentials(options);
}

}  // namespace fairlead::agent
