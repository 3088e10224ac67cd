#include "controller/http/signature.h"

#include <sodium.h>

#include <array>
#include <string>

#include "base/ids.h"

namespace fairlead::http {
namespace {

using Mac = std::array<unsigned char, crypto_auth_hmacsha256_BYTES>;

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Mac MacOf(absl::string_view text, absl::string_view key) {
  crypto_auth_hmacsha256_state state;
  Mac mac;
  crypto_auth_hmacsha256_init(&state, Bytes(key), key.size());
  crypto_auth_hmacsha256_update(&state, Bytes(text), text.size());
  crypto_auth_hmacsha256_final(&state, mac.data());
  sodium_memzero(&state, sizeof(state));
  return mac;
}

bool IsEqual(const Mac& a, const Mac& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

bool IsSignatureOf(absl::string_view hex, absl::string_view body, absl::string_view secret) {
  Mac given;
  std::size_t length = 0;
  if (hex.size() != 2 * given.size() ||
      sodium_hex2bin(given.data(), given.size(), hex.data(), hex.size(), nullptr, &length,
                     nullptr) != 0 ||
      length != given.size()) {
    return false;
  }
  return IsEqual(given, MacOf(body, secret));
}

bool IsSameSecret(absl::string_view given, absl::string_view secret) {
  // Hashes have one length; the random key makes their bytes unpredictable.
  const std::string key = base::RandomBytes(base::Random::Real(), 32);
  return IsEqual(MacOf(given, key), MacOf(secret, key));
}

}  // namespace fairlead::http
