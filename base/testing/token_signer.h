// Makes keys and signs JSON Web Tokens with them, as an OpenID provider does, for tests.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

// One key. Whatever OpenSSL refuses aborts the test.
class TokenSigner {
 public:
  // `algorithm` is "RS256", "ES256" or "EdDSA"; `bits` is of RSA.
  explicit TokenSigner(std::string algorithm, std::string id = "key-1", std::size_t bits = 2048)
      : algorithm_(std::move(algorithm)), id_(std::move(id)), key_(Make(bits), EVP_PKEY_free) {
    if (key_ == nullptr) std::abort();
  }

  const std::string& id() const { return id_; }

  // The public key as JSON.
  std::string Jwk() const {
    std::string text = absl::StrCat(R"({"use":"sig","kid":")", id_, R"(","alg":")", algorithm_);
    if (algorithm_ == "RS256") {
      absl::StrAppend(&text, R"(","kty":"RSA","n":")", Number(OSSL_PKEY_PARAM_RSA_N, 0),
                      R"(","e":")", Number(OSSL_PKEY_PARAM_RSA_E, 0));
    } else if (algorithm_ == "ES256") {
      absl::StrAppend(&text, R"(","kty":"EC","crv":"P-256","x":")",
                      Number(OSSL_PKEY_PARAM_EC_PUB_X, 32), R"(","y":")",
                      Number(OSSL_PKEY_PARAM_EC_PUB_Y, 32));
    } else {
      std::size_t size = 32;
      std::string raw(size, '\0');
      Require(EVP_PKEY_get_raw_public_key(key_.get(), Bytes(raw), &size));
      absl::StrAppend(&text, R"(","kty":"OKP","crv":"Ed25519","x":")",
                      absl::WebSafeBase64Escape(raw));
    }
    return text + "\"}";
  }

  // A token of these claims, which are JSON.
  std::string Sign(absl::string_view claims) const {
    return SignWith(absl::StrCat(R"({"typ":"JWT","alg":")", algorithm_, R"(","kid":")", id_, "\"}"),
                    claims);
  }
  // With a header of any kind.
  std::string SignWith(absl::string_view header, absl::string_view claims) const {
    const std::string text =
        absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims));
    return absl::StrCat(text, ".", absl::WebSafeBase64Escape(SignatureOf(text)));
  }

 private:
  static void Require(int done) {
    if (done != 1) std::abort();
  }
  static unsigned char* Bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
  }

  EVP_PKEY* Make(std::size_t bits) const {
    if (algorithm_ == "RS256") return EVP_RSA_gen(static_cast<unsigned>(bits));
    if (algorithm_ == "ES256") return EVP_EC_gen("P-256");
    return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }

  // Of `size` bytes, or as many as it needs.
  std::string Number(const char* name, int size) const {
    BIGNUM* number = nullptr;
    Require(EVP_PKEY_get_bn_param(key_.get(), name, &number));
    std::string bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(number) : size), '\0');
    BN_bn2binpad(number, Bytes(bytes), static_cast<int>(bytes.size()));
    BN_free(number);
    return absl::WebSafeBase64Escape(bytes);
  }

  std::string SignatureOf(const std::string& text) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
    Require(EVP_DigestSignInit(context.get(), nullptr,
                               algorithm_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr,
                               key_.get()));
    const auto* const data = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = 0;
    Require(EVP_DigestSign(context.get(), nullptr, &size, data, text.size()));
    std::string signature(size, '\0');
    Require(EVP_DigestSign(context.get(), Bytes(signature), &size, data, text.size()));
    signature.resize(size);
    return algorithm_ == "ES256" ? RawOf(signature) : signature;
  }

  // R and S of 32 bytes each, out of OpenSSL's form.
  static std::string RawOf(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> parts(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<int>(der.size())), ECDSA_SIG_free);
    std::string raw(64, '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(parts.get()), Bytes(raw), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts.get()), Bytes(raw) + 32, 32);
    return raw;
  }

  const std::string algorithm_;
  const std::string id_;
  const std::shared_ptr<EVP_PKEY> key_;
};

// A key set of these.
inline std::string KeySetOf(const std::vector<const TokenSigner*>& signers) {
  std::string text = R"({"keys":[)";
  for (const TokenSigner* signer : signers) {
    absl::StrAppend(&text, signer == signers.front() ? "" : ",", signer->Jwk());
  }
  return text + "]}";
}

}  // namespace fairlead::base
