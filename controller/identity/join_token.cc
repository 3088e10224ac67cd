#include "controller/identity/join_token.h"

#include <sodium.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/proto_time.h"
#include "base/sha256.h"
#include "base/status.h"
#include "controller/identity/certificate_authority.h"

namespace fairlead::identity {
namespace {

constexpr absl::string_view kVersion = "fl1";
constexpr std::size_t kFingerprintBytes = 32;
constexpr std::size_t kIdLength = 8;
// 160 bits.
constexpr std::size_t kSecretLength = 32;
constexpr std::size_t kLongestText = 256;
constexpr absl::Duration kLongestLife = absl::Hours(24 * 366);

bool IsSecret(absl::string_view secret, const std::string& hash) {
  const std::string given = base::Sha256(secret);
  return hash.size() == given.size() && sodium_memcmp(given.data(), hash.data(), hash.size()) == 0;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

}  // namespace

std::string FormatToken(const TokenText& token) {
  // '-' and '_' only: no dot.
  return absl::StrCat(kVersion, ".", absl::WebSafeBase64Escape(token.fingerprint), ".", token.id,
                      ".", token.secret);
}

absl::StatusOr<TokenText> ParseToken(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  TokenText token;
  if (text.size() > kLongestText || parts.size() != 4 || parts[0] != kVersion ||
      !absl::WebSafeBase64Unescape(parts[1], &token.fingerprint) ||
      token.fingerprint.size() != kFingerprintBytes || parts[2].empty() || parts[3].empty()) {
    return absl::InvalidArgumentError(
        "this is not a whole join token; copy all of what \"fairlead agent token\" printed, from "
        "fl1. to the end");
  }
  token.id = parts[2];
  token.secret = parts[3];
  return token;
}

absl::StatusOr<NewToken> MakeToken(const TokenTerms& terms, absl::Time now, base::Random& random) {
  if (!terms.server.empty() && !terms.tag.empty()) {
    return absl::InvalidArgumentError("a token is for a server or for a tag, not for both");
  }
  if (!terms.server.empty()) RETURN_IF_ERROR(CheckServerName(terms.server));
  if (terms.expires <= now || terms.expires - now > kLongestLife) {
    return absl::InvalidArgumentError("a token lives more than nothing and at most a year");
  }
  NewToken made;
  made.secret = base::NewId(random, kSecretLength);
  made.record.set_id(base::NewId(random, kIdLength));
  made.record.set_secret_hash(base::Sha256(made.secret));
  made.record.set_server(terms.server);
  made.record.set_tag(terms.tag);
  made.record.set_multi_use(terms.multi_use);
  *made.record.mutable_expires() = base::ToProto(terms.expires);
  *made.record.mutable_created() = base::ToProto(now);
  made.record.set_created_by(terms.created_by);
  return made;
}

absl::Status CheckToken(const v1::JoinToken& token, absl::string_view secret,
                        const Joining& joining, absl::Time now) {
  if (!IsSecret(secret, token.secret_hash())) {
    return absl::PermissionDeniedError("the secret of the join token is wrong");
  }
  const std::string name = absl::StrCat("join token ", token.id());
  if (token.revoked()) return absl::PermissionDeniedError(absl::StrCat(name, " is revoked"));
  const absl::Time expires = base::FromProto(token.expires());
  if (now >= expires) {
    return absl::PermissionDeniedError(
        absl::StrCat(name, " has expired at ", TimeText(expires),
                     "; make a new one with \"fairlead agent token\""));
  }
  if (!token.multi_use() && token.uses() > 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(name, " was used already; if not by you, look at \"fairlead agent list\" and ",
                     "revoke what joined with it"));
  }
  if (!token.server().empty() && token.server() != joining.server) {
    return absl::PermissionDeniedError(absl::StrCat(name, " is for server \"", token.server(),
                                                    "\", not for \"", joining.server, "\""));
  }
  if (!token.tag().empty() && !joining.tags.contains(token.tag())) {
    return absl::PermissionDeniedError(absl::StrCat(name, " is for servers with the tag \"",
                                                    token.tag(), "\"; \"", joining.server,
                                                    "\" is not declared with it"));
  }
  if (token.server().empty() && joining.has_certificate) {
    return absl::PermissionDeniedError(
        absl::StrCat("server \"", joining.server, "\" has an agent already; to replace it, make a ",
                     "token with --server ", joining.server));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::identity
