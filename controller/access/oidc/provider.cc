#include "controller/access/oidc/provider.h"

#include <algorithm>
#include <boost/json.hpp>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::access::oidc {
namespace {

namespace json = boost::json;

constexpr char kWellKnown[] = "/.well-known/openid-configuration";
// What the provider publishes is believed so long: what it withdraws ends with it.
constexpr absl::Duration kKept = absl::Hours(1);
// After a failure others are told the same instead of asking again.
constexpr absl::Duration kFailureKept = absl::Seconds(5);
// Whoever brings tokens of unknown keys makes us ask no more often.
constexpr absl::Duration kKeysAtMost = absl::Seconds(10);
constexpr std::size_t kLongestComplaint = 200;

std::string TextOf(const json::object& from, const char* name) {
  const json::value* const value = from.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

enum class Listed { kAbsent, kNo, kYes };

// Whether the list `name` has `value`.
Listed IsListed(const json::object& from, const char* name, const std::string& value) {
  const json::value* const list = from.if_contains(name);
  if (list == nullptr || !list->is_array()) return Listed::kAbsent;
  const json::array& values = list->as_array();
  const bool found = std::any_of(values.begin(), values.end(), [&value](const json::value& each) {
    return each.is_string() && std::string(each.as_string()) == value;
  });
  return found ? Listed::kYes : Listed::kNo;
}

absl::StatusOr<json::object> ParseObject(const std::string& body, const std::string& what) {
  std::error_code failed;
  json::value value = json::parse(body, failed);
  if (failed || !value.is_object()) {
    return absl::UnavailableError(absl::StrCat(what, ": the answer is no JSON object"));
  }
  return std::move(value.as_object());
}

// Of an error that a token endpoint tells (RFC 6749, 5.2), fit for one line.
std::string Complaint(const json::object& answer) {
  std::string text = TextOf(answer, "error");
  const std::string more = TextOf(answer, "error_description");
  if (!more.empty()) absl::StrAppend(&text, " (", more, ")");
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text.substr(0, kLongestComplaint);
}

}  // namespace

absl::StatusOr<Provider::Addresses> Provider::ReadAddresses(const std::string& body) const {
  const std::string what = absl::StrCat("the OpenID provider ", settings_.issuer);
  ASSIGN_OR_RETURN(const json::object found, ParseObject(body, what));
  // Else tokens of one could be taken for those of another.
  if (TextOf(found, "issuer") != settings_.issuer) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " calls itself \"", TextOf(found, "issuer").substr(0, kLongestComplaint),
                     "\"; `issuer` in the file of --oidc must be exactly that"));
  }
  Addresses addresses{.authorization = TextOf(found, "authorization_endpoint"),
                      .token = TextOf(found, "token_endpoint"),
                      .keys = TextOf(found, "jwks_uri")};
  for (const std::string* each : {&addresses.authorization, &addresses.token, &addresses.keys}) {
    if (!IsSafeUrl(*each)) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, " names the address \"", each->substr(0, kLongestComplaint),
                       "\", which does not begin with https:// (http:// only on this machine)"));
    }
  }
  // Some keep silent about it and do it all the same.
  if (IsListed(found, "code_challenge_methods_supported", "S256") == Listed::kNo) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " does not do PKCE with S256; switch it on there"));
  }
  const char* const methods = "token_endpoint_auth_methods_supported";
  addresses.secret_in_form = IsListed(found, methods, "client_secret_basic") == Listed::kNo &&
                             IsListed(found, methods, "client_secret_post") == Listed::kYes;
  return addresses;
}

absl::Status Provider::Discover() {
  const absl::Duration uptime = clock_.Uptime();
  if (uptime - discovered_ < kKept) return absl::OkStatus();
  if (uptime - failed_ < kFailureKept) return failure_;
  const std::string url = absl::StrCat(absl::StripSuffix(settings_.issuer, "/"), kWellKnown);
  absl::StatusOr<HttpAnswer> answer = http_.Get(url);
  if (answer.ok() && answer->status != 200) {
    answer = absl::UnavailableError(
        absl::StrCat("the OpenID provider answers ", answer->status, " at ", url));
  }
  absl::StatusOr<Addresses> addresses =
      answer.ok() ? ReadAddresses(answer->body) : absl::StatusOr<Addresses>(answer.status());
  if (!addresses.ok()) {
    // The time since when: a request takes a while.
    failed_ = clock_.Uptime();
    failure_ = addresses.status();
    return failure_;
  }
  addresses_ = *std::move(addresses);
  discovered_ = uptime;
  return absl::OkStatus();
}

absl::Status Provider::FetchKeys() {
  ASSIGN_OR_RETURN(const HttpAnswer answer, http_.Get(addresses_.keys));
  if (answer.status != 200) {
    return absl::UnavailableError(
        absl::StrCat("the OpenID provider answers ", answer.status, " at ", addresses_.keys));
  }
  ASSIGN_OR_RETURN(keys_, ParseKeySet(answer.body));
  keys_fetched_ = clock_.Uptime();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Provider::AddressOf(const Question& question) {
  RETURN_IF_ERROR(Discover());
  const std::string& address = addresses_.authorization;
  return absl::StrCat(address, absl::StrContains(address, '?') ? "&" : "?",
                      Encode({{"response_type", "code"},
                              {"client_id", settings_.client_id},
                              {"redirect_uri", question.redirect_uri},
                              {"scope", settings_.scope},
                              {"state", question.state},
                              {"nonce", question.nonce},
                              {"code_challenge", question.code_challenge},
                              {"code_challenge_method", "S256"}}));
}

absl::StatusOr<std::string> Provider::Exchange(const Answer& answer) {
  Form form{{"grant_type", "authorization_code"},
            {"code", answer.code},
            {"redirect_uri", answer.redirect_uri},
            {"client_id", settings_.client_id},
            {"code_verifier", answer.code_verifier}};
  std::string authorization;
  if (!settings_.client_secret.empty() && addresses_.secret_in_form) {
    form.emplace_back("client_secret", settings_.client_secret);
  } else if (!settings_.client_secret.empty()) {
    // Both are escaped as in a form before: RFC 6749, 2.3.1.
    const std::string id = Encode({{"", settings_.client_id}}).substr(1);
    const std::string secret = Encode({{"", settings_.client_secret}}).substr(1);
    authorization = absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(id, ":", secret)));
  }
  ASSIGN_OR_RETURN(const HttpAnswer reply, http_.Post(addresses_.token, form, authorization));
  const std::string what = "the OpenID provider's token endpoint";
  if (reply.status >= 500) {
    return absl::UnavailableError(absl::StrCat(what, " answers ", reply.status));
  }
  ASSIGN_OR_RETURN(const json::object found, ParseObject(reply.body, what));
  if (reply.status != 200) {
    return absl::UnauthenticatedError(absl::StrCat(
        "the OpenID provider refuses the code: ", reply.status, " ", Complaint(found)));
  }
  std::string token = TextOf(found, "id_token");
  if (token.empty()) {
    return absl::UnavailableError(
        absl::StrCat(what, " answers without an ID token; may this client have \"openid\"?"));
  }
  return token;
}

absl::StatusOr<Person> Provider::Redeem(const Answer& answer) {
  RETURN_IF_ERROR(Discover());
  ASSIGN_OR_RETURN(const std::string token, Exchange(answer));
  const TokenTerms terms{.issuer = settings_.issuer,
                         .client_id = settings_.client_id,
                         .audiences = settings_.audiences,
                         .nonce = answer.nonce,
                         .username_claim = settings_.username_claim,
                         .groups_claim = settings_.groups_claim};
  if (clock_.Uptime() - keys_fetched_ >= kKept) RETURN_IF_ERROR(FetchKeys());
  absl::StatusOr<Person> person = CheckIdToken(token, keys_, terms, clock_.Now());
  if (absl::IsNotFound(person.status()) && clock_.Uptime() - keys_fetched_ >= kKeysAtMost) {
    // The provider has other keys now.
    RETURN_IF_ERROR(FetchKeys());
    person = CheckIdToken(token, keys_, terms, clock_.Now());
  }
  if (absl::IsNotFound(person.status())) {
    return absl::UnauthenticatedError(person.status().message());
  }
  return person;
}

}  // namespace fairlead::access::oidc
