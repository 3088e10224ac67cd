#include "base/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/ids.h"
#include "base/status.h"

namespace fairlead::base {
namespace {

constexpr std::size_t kLimit = 1u << 20;
constexpr int kSerialBytes = 16;
constexpr int kLeastRsaBits = 2048;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
void FreeStack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
void FreeText(char* text) { OPENSSL_free(text); }

using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freer<X509_free>>;
using Request = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using Trust = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using TrustCheck = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
using Stack = std::unique_ptr<STACK_OF(X509), Freer<FreeStack>>;
using Text = std::unique_ptr<char, Freer<FreeText>>;

// What OpenSSL last complained of, in its words.
absl::Status CryptoError(absl::string_view what) {
  const auto code = ERR_get_error();
  ERR_clear_error();
  std::array<char, 256> text{};
  if (code != 0) ERR_error_string_n(code, text.data(), text.size());
  return absl::InternalError(absl::StrCat(what, code != 0 ? ": " : " failed", text.data()));
}

Bio BioOf(absl::string_view text) {
  if (text.size() > kLimit) text = {};
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

absl::StatusOr<Cert> ParseCertificate(absl::string_view pem) {
  Cert cert(PEM_read_bio_X509(BioOf(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (cert == nullptr) return absl::InvalidArgumentError("is not a certificate in PEM form");
  return cert;
}

// Asks nobody for a password.
int NoPassword(char*, int, int, void*) { return -1; }

absl::StatusOr<Key> ParseKey(absl::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError("is not a private key in PEM form without password");
  }
  return key;
}

// Of a public or of a private key.
absl::StatusOr<Key> ParsePublicKey(absl::string_view pem) {
  Key key(PEM_read_bio_PUBKEY(BioOf(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (key != nullptr) return key;
  return ParseKey(pem);
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string CommonName(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) return "";
  const std::string found(text, text + size);
  OPENSSL_free(text);
  return found;
}

std::string StringOf(const ASN1_STRING* text) {
  const unsigned char* const data = ASN1_STRING_get0_data(text);
  return {data, data + ASN1_STRING_length(text)};
}

std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  const std::string raw = StringOf(bytes);
  if (raw.size() == 4) {
    return absl::StrJoin(raw, ".", [](std::string* out, char c) {
      absl::StrAppend(out, static_cast<unsigned char>(c));
    });
  }
  std::vector<std::string> groups;
  for (std::size_t i = 0; i + 1 < raw.size(); i += 2) {
    const unsigned group =
        static_cast<unsigned char>(raw[i]) * 256u + static_cast<unsigned char>(raw[i + 1]);
    groups.push_back(absl::StrCat(absl::Hex(group)));
  }
  return absl::StrJoin(groups, ":");
}

void AddNames(const GENERAL_NAMES* names, CertificateFacts& facts) {
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) {
      facts.uris.push_back(StringOf(name->d.uniformResourceIdentifier));
    } else if (name->type == GEN_DNS) {
      facts.dns.push_back(StringOf(name->d.dNSName));
    } else if (name->type == GEN_IPADD) {
      facts.addresses.push_back(AddressText(name->d.iPAddress));
    }
  }
}

absl::StatusOr<CertificateFacts> FactsOf(X509* cert) {
  CertificateFacts facts;
  facts.subject = CommonName(X509_get_subject_name(cert));
  facts.issuer = CommonName(X509_get_issuer_name(cert));
  const Number serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), nullptr));
  const Text hex(serial == nullptr ? nullptr : BN_bn2hex(serial.get()));
  if (hex == nullptr) return CryptoError("reading the serial number");
  facts.serial = absl::AsciiStrToLower(hex.get());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(cert, EVP_sha256(), digest.data(), &size) != 1) {
    return CryptoError("the fingerprint");
  }
  facts.fingerprint.assign(digest.data(), digest.data() + size);
  const Names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr)));
  AddNames(names.get(), facts);
  facts.not_before = TimeOf(X509_get0_notBefore(cert));
  facts.not_after = TimeOf(X509_get0_notAfter(cert));
  facts.is_authority = X509_check_ca(cert) == 1;
  return facts;
}

std::string AlternativeNames(const CertificateTerms& terms) {
  std::vector<std::string> names;
  for (const std::string& uri : terms.uris) names.push_back(absl::StrCat("URI:", uri));
  for (const std::string& dns : terms.dns) names.push_back(absl::StrCat("DNS:", dns));
  for (const std::string& address : terms.addresses) {
    names.push_back(absl::StrCat("IP:", address));
  }
  return absl::StrJoin(names, ",");
}

// A name with a comma would be read as two.
absl::Status CheckNames(const CertificateTerms& terms) {
  for (const auto* names : {&terms.uris, &terms.dns, &terms.addresses}) {
    for (const std::string& name : *names) {
      if (!name.empty() && name.find_first_of(",\n\r") == std::string::npos) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("\"", absl::CEscape(name), "\" cannot stand in a certificate"));
    }
  }
  return absl::OkStatus();
}

absl::Status AddExtension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(cert, extension.get(), -1) != 1) {
    return CryptoError(absl::StrCat("\"", value, "\" in a certificate"));
  }
  return absl::OkStatus();
}

absl::Status AddUse(X509* cert, X509* issuer, CertificateUse use) {
  const bool authority = use == CertificateUse::kAuthority;
  RETURN_IF_ERROR(AddExtension(cert, issuer, NID_basic_constraints,
                               authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"));
  RETURN_IF_ERROR(
      AddExtension(cert, issuer, NID_key_usage,
                   authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"));
  RETURN_IF_ERROR(AddExtension(cert, issuer, NID_subject_key_identifier, "hash"));
  if (authority) return absl::OkStatus();
  RETURN_IF_ERROR(AddExtension(cert, issuer, NID_authority_key_identifier, "keyid"));
  return AddExtension(cert, issuer, NID_ext_key_usage,
                      use == CertificateUse::kServer ? "serverAuth" : "clientAuth");
}

absl::Status SetSerial(X509* cert) {
  std::string bytes = RandomBytes(Random::Real(), kSerialBytes);
  // Positive, and never shorter than the others.
  bytes[0] = static_cast<char>((static_cast<unsigned char>(bytes[0]) & 0x3fu) | 0x40u);
  const Number number(
      BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), kSerialBytes, nullptr));
  if (number == nullptr ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert)) == nullptr) {
    return CryptoError("the serial number");
  }
  return absl::OkStatus();
}

absl::Status SetSubject(X509_NAME* name, const std::string& common_name) {
  // RFC 5280: at most 64 characters.
  const std::string text = common_name.substr(0, 64);
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), -1, 0) != 1) {
    return CryptoError("the subject");
  }
  return absl::OkStatus();
}

const EVP_MD* DigestFor(const EVP_PKEY* key) {
  return EVP_PKEY_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

absl::StatusOr<std::string> PemOf(X509* cert) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), cert) != 1) return CryptoError("writing a certificate");
  return TextOf(out.get());
}

absl::Status CheckKeyKind(EVP_PKEY* key) {
  if (EVP_PKEY_id(key) == EVP_PKEY_ED25519) return absl::OkStatus();
  if (EVP_PKEY_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) >= kLeastRsaBits) {
    return absl::OkStatus();
  }
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
      absl::string_view(group.data(), size) == "prime256v1") {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "the key of the request is too weak or of an unknown kind; P-256, Ed25519 and RSA of 2048 "
      "bits are taken");
}

absl::StatusOr<std::string> UriOf(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* const extensions = X509_REQ_get_extensions(request);
  CertificateFacts facts;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  AddNames(names.get(), facts);
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  if (count != 1 || facts.uris.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request names ", count, " alternative names; exactly one URI is wanted"));
  }
  return facts.uris.front();
}

Stack StackOf(absl::string_view pem) {
  Stack stack(sk_X509_new_null());
  for (const std::string& one : SplitCertificates(pem)) {
    absl::StatusOr<Cert> cert = ParseCertificate(one);
    // The stack owns it from then on.
    if (cert.ok() && sk_X509_push(stack.get(), cert->get()) > 0) std::ignore = cert->release();
  }
  return stack;
}

std::string DateText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

std::string SpanText(absl::Duration span) {
  if (span >= absl::Hours(48)) return absl::StrCat(span / absl::Hours(24), " days");
  return absl::FormatDuration(absl::Trunc(span, absl::Seconds(1)));
}

absl::Status ChainError(X509_STORE_CTX* context, std::optional<absl::Time> now) {
  const int code = X509_STORE_CTX_get_error(context);
  X509* const cert = X509_STORE_CTX_get_current_cert(context);
  CertificateFacts facts;
  if (cert != nullptr) facts = FactsOf(cert).value_or(CertificateFacts());
  const std::string what = absl::StrCat(
      X509_STORE_CTX_get_error_depth(context) == 0 ? "the certificate \"" : "the authority \"",
      facts.subject, "\"");
  const absl::Time time = now.value_or(absl::UnixEpoch());
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return absl::PermissionDeniedError(
          absl::StrCat(what, " has expired at ", DateText(facts.not_after), ", ",
                       SpanText(time - facts.not_after), " ago by the clock here"));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::PermissionDeniedError(
          absl::StrCat(what, " is not valid before ", DateText(facts.not_before), ", in ",
                       SpanText(facts.not_before - time), " by the clock here"));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return absl::PermissionDeniedError(absl::StrCat(what, " is signed by \"", facts.issuer,
                                                      "\", an authority that is not known here"));
    default:
      return absl::PermissionDeniedError(
          absl::StrCat(what, ": ", X509_verify_cert_error_string(code)));
  }
}

// OpenSSL's callback; the context's data is the last moment (time_t) at which a certificate may
// begin.
int AllowEarly(int ok, X509_STORE_CTX* context) {
  if (ok == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_CERT_NOT_YET_VALID) return ok;
  auto* const latest = static_cast<std::time_t*>(X509_STORE_CTX_get_app_data(context));
  X509* const cert = X509_STORE_CTX_get_current_cert(context);
  if (X509_cmp_time(X509_get0_notBefore(cert), latest) != -1) return 0;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

}  // namespace

absl::StatusOr<CertificateFacts> ReadCertificate(absl::string_view pem) {
  ASSIGN_OR_RETURN(const Cert cert, ParseCertificate(pem));
  return FactsOf(cert.get());
}

std::vector<std::string> SplitCertificates(absl::string_view pem) {
  constexpr absl::string_view kBegin = "-----BEGIN CERTIFICATE-----";
  constexpr absl::string_view kEnd = "-----END CERTIFICATE-----";
  std::vector<std::string> found;
  while (true) {
    const std::size_t begin = pem.find(kBegin);
    if (begin == absl::string_view::npos) return found;
    pem.remove_prefix(begin);
    const std::size_t end = pem.find(kEnd);
    if (end == absl::string_view::npos) return found;
    found.push_back(absl::StrCat(pem.substr(0, end + kEnd.size()), "\n"));
    pem.remove_prefix(end + kEnd.size());
  }
}

std::string FingerprintText(absl::string_view fingerprint) {
  return absl::StrJoin(fingerprint, ":", [](std::string* out, char c) {
    absl::StrAppend(out, absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
  });
}

absl::StatusOr<std::string> MakePrivateKey() {
  const Key key(EVP_EC_gen("P-256"));
  const Bio out(BIO_new(BIO_s_mem()));
  if (key == nullptr || PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return CryptoError("making a private key");
  }
  return TextOf(out.get());
}

absl::Status CheckKeyPair(absl::string_view chain, absl::string_view key) {
  ASSIGN_OR_RETURN(const Cert cert, ParseCertificate(chain), "the certificate");
  ASSIGN_OR_RETURN(const Key parsed, ParseKey(key), "the key");
  if (X509_check_private_key(cert.get(), parsed.get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError(
        "the private key does not belong to the certificate: one of them was replaced");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> MakeRequest(absl::string_view key, absl::string_view uri) {
  ASSIGN_OR_RETURN(const Key parsed, ParseKey(key), "the key");
  const CertificateTerms terms{.common_name = "", .uris = {std::string(uri)}};
  RETURN_IF_ERROR(CheckNames(terms));
  const Request request(X509_REQ_new());
  const Extension extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, AlternativeNames(terms).c_str()));
  if (request == nullptr || extension == nullptr) return CryptoError("making a request");
  STACK_OF(X509_EXTENSION)* const extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions, extension.get());
  const bool added = X509_REQ_add_extensions(request.get(), extensions) == 1;
  sk_X509_EXTENSION_free(extensions);
  const Bio out(BIO_new(BIO_s_mem()));
  if (!added || X509_REQ_set_pubkey(request.get(), parsed.get()) != 1 ||
      X509_REQ_sign(request.get(), parsed.get(), DigestFor(parsed.get())) <= 0 ||
      PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    return CryptoError("making a request");
  }
  return TextOf(out.get());
}

absl::StatusOr<RequestFacts> ReadRequest(absl::string_view pem) {
  const Request request(PEM_read_bio_X509_REQ(BioOf(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (request == nullptr) {
    return absl::InvalidArgumentError("is not a certificate request in PEM form");
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || X509_REQ_verify(request.get(), key) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the request is not signed by its own key");
  }
  RETURN_IF_ERROR(CheckKeyKind(key));
  RequestFacts facts;
  ASSIGN_OR_RETURN(facts.uri, UriOf(request.get()));
  const Bio out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(out.get(), key) != 1) return CryptoError("writing a public key");
  facts.public_key = TextOf(out.get());
  return facts;
}

absl::StatusOr<std::string> IssueCertificate(const CertificateTerms& terms,
                                             absl::string_view public_key,
                                             absl::string_view authority,
                                             absl::string_view authority_key) {
  RETURN_IF_ERROR(CheckNames(terms));
  ASSIGN_OR_RETURN(const Key subject, ParsePublicKey(public_key), "the public key");
  ASSIGN_OR_RETURN(const Key signer, ParseKey(authority_key), "the key of the authority");
  const Cert cert(X509_new());
  if (cert == nullptr) return CryptoError("making a certificate");
  Cert parent;
  if (!authority.empty()) {
    ASSIGN_OR_RETURN(parent, ParseCertificate(authority), "the authority");
  }
  X509* const issuer = parent == nullptr ? cert.get() : parent.get();
  X509_set_version(cert.get(), X509_VERSION_3);
  RETURN_IF_ERROR(SetSerial(cert.get()));
  RETURN_IF_ERROR(SetSubject(X509_get_subject_name(cert.get()), terms.common_name));
  if (X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer)) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(cert.get()), absl::ToTimeT(terms.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(cert.get()), absl::ToTimeT(terms.not_after)) == nullptr ||
      X509_set_pubkey(cert.get(), subject.get()) != 1) {
    return CryptoError("making a certificate");
  }
  RETURN_IF_ERROR(AddUse(cert.get(), issuer, terms.use));
  const std::string names = AlternativeNames(terms);
  if (!names.empty()) {
    RETURN_IF_ERROR(AddExtension(cert.get(), issuer, NID_subject_alt_name, names));
  }
  if (X509_sign(cert.get(), signer.get(), DigestFor(signer.get())) <= 0) {
    return CryptoError("signing a certificate");
  }
  return PemOf(cert.get());
}

absl::Status VerifyChain(const ChainCheck& check) {
  ASSIGN_OR_RETURN(const Cert leaf, ParseCertificate(check.chain), "what was presented");
  const Stack presented = StackOf(check.chain);
  const Stack roots = StackOf(check.roots);
  const Trust trust(X509_STORE_new());
  const TrustCheck context(X509_STORE_CTX_new());
  if (trust == nullptr || context == nullptr) return CryptoError("verifying a certificate");
  for (int i = 0; i < sk_X509_num(roots.get()); ++i) {
    X509_STORE_add_cert(trust.get(), sk_X509_value(roots.get(), i));
  }
  if (check.machine_roots) X509_STORE_set_default_paths(trust.get());
  if (X509_STORE_CTX_init(context.get(), trust.get(), leaf.get(), presented.get()) != 1) {
    return CryptoError("verifying a certificate");
  }
  X509_VERIFY_PARAM* const terms = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_PARTIAL_CHAIN);
  std::time_t latest = 0;
  if (check.now.has_value()) {
    // OpenSSL knows no later year.
    const absl::Time end = absl::FromUnixSeconds(253'402'300'799);
    latest = absl::ToTimeT(std::min(*check.now + check.early, end));
    X509_STORE_CTX_set_app_data(context.get(), &latest);
    X509_STORE_CTX_set_verify_cb(context.get(), AllowEarly);
    X509_VERIFY_PARAM_set_time(terms, absl::ToTimeT(*check.now));
  } else {
    X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_NO_CHECK_TIME);
  }
  X509_VERIFY_PARAM_set_purpose(terms, check.use == CertificateUse::kServer
                                           ? X509_PURPOSE_SSL_SERVER
                                           : X509_PURPOSE_SSL_CLIENT);
  const bool believed = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return believed ? absl::OkStatus() : ChainError(context.get(), check.now);
}

absl::Status VerifyHost(absl::string_view chain, const std::string& host) {
  ASSIGN_OR_RETURN(const Cert cert, ParseCertificate(chain), "what was presented");
  if (X509_check_ip_asc(cert.get(), host.c_str(), 0) == 1 ||
      X509_check_host(cert.get(), host.data(), host.size(), 0, nullptr) == 1) {
    return absl::OkStatus();
  }
  ERR_clear_error();
  ASSIGN_OR_RETURN(const CertificateFacts facts, FactsOf(cert.get()));
  std::vector<std::string> names = facts.dns;
  names.insert(names.end(), facts.addresses.begin(), facts.addresses.end());
  return absl::PermissionDeniedError(
      absl::StrCat("the certificate is for ",
                   names.empty() ? "no host" : absl::StrJoin(names, ", "), ", not for ", host));
}

}  // namespace fairlead::base
