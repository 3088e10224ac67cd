// X.509: makes keys, requests and certificates, reads them, and verifies chains. All texts are PEM.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::base {

// What a certificate says. Nothing of it is verified.
struct CertificateFacts {
  // Common names.
  std::string subject;
  std::string issuer;
  // Hexadecimal, lower case.
  std::string serial;
  // SHA-256 of the whole certificate, 32 bytes.
  std::string fingerprint;
  // Subject alternative names: "fairlead://server/web-1", "fairlead.example.com", "192.0.2.7".
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  std::vector<std::string> addresses;
  absl::Time not_before;
  absl::Time not_after;
  bool is_authority = false;
};

// Of the first certificate in `pem`. InvalidArgument when there is none.
absl::StatusOr<CertificateFacts> ReadCertificate(absl::string_view pem);

// Each certificate of `pem` by itself, in order; other blocks are left out.
std::vector<std::string> SplitCertificates(absl::string_view pem);

// "3f:a0:..." for people.
std::string FingerprintText(absl::string_view fingerprint);

// A new P-256 key.
absl::StatusOr<std::string> MakePrivateKey();

// OK when the first certificate of `chain` is for `key`. InvalidArgument says which of them cannot
// be read, or that they do not belong together.
absl::Status CheckKeyPair(absl::string_view chain, absl::string_view key);

// A request for a certificate of the URI `uri`, signed with `key`.
absl::StatusOr<std::string> MakeRequest(absl::string_view key, absl::string_view uri);

struct RequestFacts {
  // Of its one alternative name.
  std::string uri;
  // SubjectPublicKeyInfo.
  std::string public_key;
};

// InvalidArgument unless it is signed by its own key, the key is of P-256, Ed25519 or RSA of at
// least 2048 bits, and its one alternative name is a URI.
absl::StatusOr<RequestFacts> ReadRequest(absl::string_view pem);

enum class CertificateUse { kAuthority, kServer, kClient };

struct CertificateTerms {
  std::string common_name;
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  // Numeric.
  std::vector<std::string> addresses;
  absl::Time not_before;
  absl::Time not_after;
  CertificateUse use = CertificateUse::kClient;
};

// A certificate of `public_key` (PEM; a private key gives its public one), signed by the authority,
// with a random serial number. With an empty `authority` it is signed by `authority_key` itself.
absl::StatusOr<std::string> IssueCertificate(const CertificateTerms& terms,
                                             absl::string_view public_key,
                                             absl::string_view authority,
                                             absl::string_view authority_key);

struct ChainCheck {
  // What the peer has presented, its own certificate first.
  std::string chain;
  // Who is believed; a certificate here need not be an authority's.
  std::string roots;
  // Also whom this machine believes.
  bool machine_roots = false;
  CertificateUse use = CertificateUse::kClient;
  // Absent: times are not looked at.
  std::optional<absl::Time> now;
  // How long before its first moment a certificate is good already: clocks are set back, and a
  // certificate protects by its end.
  absl::Duration early;
};

// PermissionDenied says why the chain is not believed: an unknown authority, one that is made by
// itself, expired, not valid yet and by how much.
absl::Status VerifyChain(const ChainCheck& check);

// OK when the first certificate of `chain` is for `host`, a name or a numeric address.
absl::Status VerifyHost(absl::string_view chain, const std::string& host);

}  // namespace fairlead::base
