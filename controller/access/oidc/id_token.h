// Whether an ID token is to be believed: OpenID Connect Core 1.0, section 3.1.3.7. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/access/oidc/web_key.h"

namespace fairlead::access::oidc {

// How far the clocks of provider and controller may be apart.
inline constexpr absl::Duration kClockSkew = absl::Seconds(60);

// What a token must be.
struct TokenTerms {
  std::string issuer;
  std::string client_id;
  // Who else it may be for.
  std::vector<std::string> audiences;
  std::string nonce;
  std::string username_claim;
  std::string groups_claim;
};

// Whom the provider vouches for.
struct Person {
  // Of the provider; never given to another.
  std::string subject;
  std::string name;
  // As the provider names them.
  std::vector<std::string> groups;
};

// Unauthenticated says which check failed, never the token. NotFound: it is signed by a key that
// is not among `keys`; newer ones may have it.
absl::StatusOr<Person> CheckIdToken(absl::string_view token, const std::vector<WebKey>& keys,
                                    const TokenTerms& terms, absl::Time now);

}  // namespace fairlead::access::oidc
