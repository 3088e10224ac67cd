#include "controller/access/oidc/web_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fairlead::access::oidc {
namespace {

namespace json = boost::json;

constexpr int kShortestRsa = 2048;
// Longer ones only cost time.
constexpr int kLongestRsa = 16384;
constexpr std::size_t kP256 = 32;

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

using KeyPointer = std::shared_ptr<EVP_PKEY>;

KeyPointer Own(EVP_PKEY* key) {
  // What failed has left a line that nobody asks for.
  if (key == nullptr) ERR_clear_error();
  return {key, EVP_PKEY_free};
}

std::string TextOf(const json::object& from, const char* name) {
  const json::value* const value = from.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

const unsigned char* BytesOf(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

KeyPointer FromParameters(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder), OSSL_PARAM_free);
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr),
                                    EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return Own(nullptr);
  }
  return Own(key);
}

KeyPointer RsaKey(const std::string& modulus, const std::string& exponent) {
  const Owned<BIGNUM> n(BN_bin2bn(BytesOf(modulus), static_cast<int>(modulus.size()), nullptr),
                        BN_free);
  const Owned<BIGNUM> e(BN_bin2bn(BytesOf(exponent), static_cast<int>(exponent.size()), nullptr),
                        BN_free);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (n == nullptr || e == nullptr || builder == nullptr || BN_num_bits(n.get()) < kShortestRsa ||
      BN_num_bits(n.get()) > kLongestRsa || BN_num_bits(e.get()) > 64 || BN_is_odd(e.get()) != 1 ||
      BN_is_one(e.get()) == 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return Own(nullptr);
  }
  return FromParameters("RSA", builder.get());
}

KeyPointer EllipticKey(const std::string& x, const std::string& y) {
  if (x.size() != kP256 || y.size() != kP256) return nullptr;
  const std::string point = absl::StrCat("\x04", x, y);
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (builder == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return Own(nullptr);
  }
  return FromParameters("EC", builder.get());
}

// Nothing when it signs no ID tokens, or cannot be read.
std::optional<WebKey> ParseKey(const json::object& from) {
  const std::string use = TextOf(from, "use");
  if (!use.empty() && use != "sig") return std::nullopt;
  const auto bytes = [&from](const char* name) {
    std::string decoded;
    return DecodeBase64Url(TextOf(from, name), &decoded) ? decoded : std::string();
  };
  WebKey found{.id = TextOf(from, "kid")};
  const std::string type = TextOf(from, "kty");
  const std::string curve = TextOf(from, "crv");
  if (type == "RSA") {
    found.algorithm = "RS256";
    found.key = RsaKey(bytes("n"), bytes("e"));
  } else if (type == "EC" && curve == "P-256") {
    found.algorithm = "ES256";
    found.key = EllipticKey(bytes("x"), bytes("y"));
  } else if (type == "OKP" && curve == "Ed25519") {
    found.algorithm = "EdDSA";
    const std::string raw = bytes("x");
    found.key =
        Own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, BytesOf(raw), raw.size()));
  }
  const std::string algorithm = TextOf(from, "alg");
  const bool fits = algorithm.empty() || algorithm == found.algorithm;
  if (found.key == nullptr || !fits) return std::nullopt;
  return found;
}

// R and S, 32 bytes each, as OpenSSL wants them.
std::string DerOf(absl::string_view signature) {
  if (signature.size() != 2 * kP256) return "";
  const Owned<ECDSA_SIG> parts(ECDSA_SIG_new(), ECDSA_SIG_free);
  BIGNUM* const r = BN_bin2bn(BytesOf(signature), kP256, nullptr);
  BIGNUM* const s = BN_bin2bn(BytesOf(signature.substr(kP256)), kP256, nullptr);
  // Takes both.
  ECDSA_SIG_set0(parts.get(), r, s);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  if (size <= 0) return "";
  std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace

bool DecodeBase64Url(absl::string_view text, std::string* bytes) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
  return is_plain && text.size() % 4 != 1 && absl::WebSafeBase64Unescape(text, bytes);
}

absl::StatusOr<std::vector<WebKey>> ParseKeySet(absl::string_view json_text) {
  std::error_code failed;
  const json::value parsed = json::parse({json_text.data(), json_text.size()}, failed);
  const json::object* const set = failed ? nullptr : parsed.if_object();
  const json::value* const keys = set == nullptr ? nullptr : set->if_contains("keys");
  if (keys == nullptr || !keys->is_array()) {
    return absl::UnavailableError("what the OpenID provider answers is no set of keys");
  }
  std::vector<WebKey> found;
  for (const json::value& each : keys->as_array()) {
    if (!each.is_object()) continue;
    if (std::optional<WebKey> key = ParseKey(each.as_object())) found.push_back(*std::move(key));
  }
  return found;
}

bool IsSignedBy(const WebKey& key, absl::string_view text, absl::string_view signature) {
  const bool is_elliptic = key.algorithm == "ES256";
  const std::string der = is_elliptic ? DerOf(signature) : "";
  const absl::string_view given = is_elliptic ? der : signature;
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* const digest = key.algorithm == "EdDSA" ? nullptr : EVP_sha256();
  const bool fits =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.key.get()) == 1 &&
      EVP_DigestVerify(context.get(), BytesOf(given), given.size(), BytesOf(text), text.size()) ==
          1;
  if (!fits) ERR_clear_error();
  return fits;
}

}  // namespace fairlead::access::oidc
