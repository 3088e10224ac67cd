// Public keys of a provider: JSON Web Keys (RFC 7517), and signatures by them (RFC 7518, 8037).
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::access::oidc {

struct WebKey {
  // May be empty.
  std::string id;
  // The one algorithm that it signs with: "RS256", "ES256" or "EdDSA".
  std::string algorithm;
  std::shared_ptr<EVP_PKEY> key;
};

// The keys of a key set that sign ID tokens. Others, such as those for encryption, of unknown
// types, or RSA of less than 2048 bits, are left out. Unavailable when it is no key set.
absl::StatusOr<std::vector<WebKey>> ParseKeySet(absl::string_view json);

// Whether `signature`, as a token has it, is that of `text` by the key.
bool IsSignedBy(const WebKey& key, absl::string_view text, absl::string_view signature);

// Without padding; false for anything that is not exactly that.
bool DecodeBase64Url(absl::string_view text, std::string* bytes);

}  // namespace fairlead::access::oidc
