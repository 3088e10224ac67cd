#include "controller/access/oidc/id_token.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace fairlead::access::oidc {
namespace {

namespace json = boost::json;

constexpr std::size_t kLargestToken = 64u << 10;
constexpr std::size_t kMostGroups = 1000;
// Of what the token says this much is repeated.
constexpr std::size_t kLongestQuote = 100;
// The last moment that seconds of a token can name: the year 9999.
constexpr double kLatest = 253402300799.0;

absl::Status Refused(absl::string_view why) {
  return absl::UnauthenticatedError(absl::StrCat("the provider's ID token is refused: ", why));
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", text.substr(0, kLongestQuote), text.size() > kLongestQuote ? "..." : "",
                      "\"");
}

struct Parts {
  json::object header;
  json::object claims;
  // What is signed.
  absl::string_view text;
  std::string signature;
};

absl::StatusOr<json::object> ObjectOf(absl::string_view encoded) {
  std::string text;
  if (!DecodeBase64Url(encoded, &text)) return Refused("it is not of the form of a token");
  std::error_code failed;
  json::value value = json::parse(text, failed);
  if (failed || !value.is_object()) return Refused("it is not of the form of a token");
  return std::move(value.as_object());
}

absl::StatusOr<Parts> Split(absl::string_view token) {
  if (token.size() > kLargestToken) return Refused("it is too long");
  const std::vector<absl::string_view> pieces = absl::StrSplit(token, '.');
  if (pieces.size() == 5) {
    return Refused("it is encrypted; let the provider only sign it, with RS256, ES256 or EdDSA");
  }
  if (pieces.size() != 3) return Refused("it is not of the form of a token");
  Parts parts;
  ASSIGN_OR_RETURN(parts.header, ObjectOf(pieces[0]));
  ASSIGN_OR_RETURN(parts.claims, ObjectOf(pieces[1]));
  if (!DecodeBase64Url(pieces[2], &parts.signature)) {
    return Refused("it is not of the form of a token");
  }
  parts.text = token.substr(0, pieces[0].size() + 1 + pieces[1].size());
  return parts;
}

// Nothing when it is not there, or no text.
std::optional<std::string> TextOf(const json::object& from, const std::string& name) {
  const json::value* const value = from.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->as_string());
}

absl::Status CheckSignature(const Parts& parts, const std::vector<WebKey>& keys) {
  const std::string algorithm = TextOf(parts.header, "alg").value_or("");
  // Above all not "none", and none of those whose key is the client's secret.
  if (algorithm != "RS256" && algorithm != "ES256" && algorithm != "EdDSA") {
    return Refused(absl::StrCat("it is signed with ", Quoted(algorithm),
                                "; let the provider use RS256, ES256 or EdDSA"));
  }
  if (parts.header.contains("crit")) return Refused("it asks for extensions that are not known");
  const std::string id = TextOf(parts.header, "kid").value_or("");
  std::vector<const WebKey*> fitting;
  for (const WebKey& key : keys) {
    if (key.algorithm == algorithm && (id.empty() || key.id == id)) fitting.push_back(&key);
  }
  if (fitting.empty()) {
    return absl::NotFoundError(absl::StrCat("the provider's ID token is refused: its key ",
                                            Quoted(id), " for ", algorithm,
                                            " is none that the provider publishes"));
  }
  if (fitting.size() > 1) return Refused("it does not say with which of several keys it is signed");
  if (!IsSignedBy(*fitting.front(), parts.text, parts.signature)) {
    return Refused("its signature is wrong");
  }
  return absl::OkStatus();
}

absl::Status CheckAudience(const json::object& claims, const TokenTerms& terms) {
  std::vector<std::string> audiences;
  const json::value* const value = claims.if_contains("aud");
  if (value != nullptr && value->is_string()) {
    audiences.emplace_back(value->as_string());
  } else if (value != nullptr && value->is_array()) {
    for (const json::value& each : value->as_array()) {
      if (!each.is_string()) return Refused("its audience is no list of texts");
      audiences.emplace_back(each.as_string());
    }
  }
  const auto is_in = [](const std::vector<std::string>& list, const std::string& what) {
    return std::find(list.begin(), list.end(), what) != list.end();
  };
  if (!is_in(audiences, terms.client_id)) {
    return Refused(absl::StrCat("it is not for this client, ", Quoted(terms.client_id)));
  }
  for (const std::string& each : audiences) {
    if (each != terms.client_id && !is_in(terms.audiences, each)) {
      return Refused(absl::StrCat("it is also for ", Quoted(each),
                                  ", which `audiences` of the controller does not name"));
    }
  }
  const bool says_party = claims.contains("azp");
  if (audiences.size() > 1 && !says_party) return Refused("it does not say whom it was made for");
  if (says_party && TextOf(claims, "azp") != terms.client_id) {
    return Refused("it was made for another client");
  }
  return absl::OkStatus();
}

// Nothing when it is not there.
absl::StatusOr<std::optional<absl::Time>> TimeOf(const json::object& claims,
                                                 const std::string& name) {
  const json::value* const value = claims.if_contains(name);
  if (value == nullptr) return std::optional<absl::Time>();
  std::error_code failed;
  const auto seconds = value->to_number<double>(failed);
  if (failed || !std::isfinite(seconds) || std::abs(seconds) > kLatest) {
    return Refused(absl::StrCat("its ", Quoted(name), " is no time"));
  }
  return std::optional<absl::Time>(absl::UnixEpoch() + absl::Seconds(seconds));
}

std::string SpanText(absl::Duration span) {
  return absl::FormatDuration(absl::Ceil(span, absl::Seconds(1)));
}

absl::Status CheckTimes(const json::object& claims, absl::Time now) {
  constexpr char kClock[] = "; is the clock of the controller or that of the provider off?";
  ASSIGN_OR_RETURN(const std::optional<absl::Time> expires, TimeOf(claims, "exp"));
  ASSIGN_OR_RETURN(const std::optional<absl::Time> issued, TimeOf(claims, "iat"));
  ASSIGN_OR_RETURN(const std::optional<absl::Time> begins, TimeOf(claims, "nbf"));
  if (!expires.has_value() || !issued.has_value()) {
    return Refused("it does not say when it was made and when it ends");
  }
  if (*expires + kClockSkew <= now) {
    return Refused(absl::StrCat("it has expired ", SpanText(now - *expires), " ago", kClock));
  }
  if (*issued > now + kClockSkew) {
    return Refused(absl::StrCat("it was made ", SpanText(*issued - now), " in the future", kClock));
  }
  if (begins.has_value() && *begins > now + kClockSkew) {
    return Refused(absl::StrCat("it is not valid for another ", SpanText(*begins - now), kClock));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> GroupsOf(const json::object& claims,
                                                  const std::string& name) {
  const json::value* const value = claims.if_contains(name);
  if (value == nullptr || value->is_null()) return std::vector<std::string>();
  if (value->is_string()) return std::vector<std::string>{std::string(value->as_string())};
  const std::string wrong =
      absl::StrCat("its claim ", Quoted(name), " is no list of up to ", kMostGroups, " texts");
  if (!value->is_array() || value->as_array().size() > kMostGroups) return Refused(wrong);
  std::vector<std::string> groups;
  for (const json::value& each : value->as_array()) {
    if (!each.is_string()) return Refused(wrong);
    groups.emplace_back(each.as_string());
  }
  return groups;
}

absl::StatusOr<Person> PersonOf(const json::object& claims, const TokenTerms& terms) {
  Person person{.subject = TextOf(claims, "sub").value_or(""),
                .name = TextOf(claims, terms.username_claim).value_or("")};
  if (person.subject.empty()) return Refused("it does not say whom it is of");
  if (person.name.empty()) {
    return Refused(absl::StrCat("it has no claim ", Quoted(terms.username_claim),
                                " for the name; see `username_claim` and `scopes`"));
  }
  // Anybody may say that an address is theirs.
  const json::value* const verified = claims.if_contains("email_verified");
  if (terms.username_claim == "email" &&
      (verified == nullptr || !verified->is_bool() || !verified->as_bool())) {
    return Refused("the provider has not verified the email address");
  }
  ASSIGN_OR_RETURN(person.groups, GroupsOf(claims, terms.groups_claim));
  return person;
}

}  // namespace

absl::StatusOr<Person> CheckIdToken(absl::string_view token, const std::vector<WebKey>& keys,
                                    const TokenTerms& terms, absl::Time now) {
  ASSIGN_OR_RETURN(const Parts parts, Split(token));
  RETURN_IF_ERROR(CheckSignature(parts, keys));
  if (TextOf(parts.claims, "iss") != terms.issuer) return Refused("another provider has made it");
  RETURN_IF_ERROR(CheckAudience(parts.claims, terms));
  RETURN_IF_ERROR(CheckTimes(parts.claims, now));
  if (TextOf(parts.claims, "nonce") != terms.nonce) return Refused("it is of another login");
  return PersonOf(parts.claims, terms);
}

}  // namespace fairlead::access::oidc
