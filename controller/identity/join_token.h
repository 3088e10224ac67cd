// Join tokens: their text form, and who may join with one. Pure.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/ids.h"
#include "fairlead/v1/access.pb.h"

namespace fairlead::identity {

// "fl1.FINGERPRINT.ID.SECRET"; the fingerprint is 32 bytes in URL-safe base64.
struct TokenText {
  // SHA-256 of a certificate in the chain that the controller presents.
  std::string fingerprint;
  std::string id;
  std::string secret;
};

std::string FormatToken(const TokenText& token);

// InvalidArgument, without the text itself, which is a secret.
absl::StatusOr<TokenText> ParseToken(absl::string_view text);

struct NewToken {
  v1::JoinToken record;
  std::string secret;
};

struct TokenTerms {
  // At most one of both.
  std::string server;
  std::string tag;
  bool multi_use = false;
  absl::Time expires;
  std::string created_by;
};

// InvalidArgument when the terms contradict each other or are over already.
absl::StatusOr<NewToken> MakeToken(const TokenTerms& terms, absl::Time now, base::Random& random);

// Who asks to join, as the controller knows it.
struct Joining {
  std::string server;
  // Of its declaration.
  std::set<std::string> tags;
  // It has a certificate that is still good.
  bool has_certificate = false;
};

// OK when `joining` may have a certificate for this token. PermissionDenied says why not; the
// secret is compared first, so that nobody learns about tokens that he does not have.
absl::Status CheckToken(const v1::JoinToken& token, absl::string_view secret,
                        const Joining& joining, absl::Time now);

}  // namespace fairlead::identity
