#include "controller/access/oidc/id_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/testing/token_signer.h"

namespace fairlead::access::oidc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace json = boost::json;

constexpr int64_t kNow = 1'700'000'000;

const base::TokenSigner& Rsa() {
  static const auto* const signer = new base::TokenSigner("RS256", "rsa-1");
  return *signer;
}
const base::TokenSigner& Elliptic() {
  static const auto* const signer = new base::TokenSigner("ES256", "ec-1");
  return *signer;
}
const base::TokenSigner& Edwards() {
  static const auto* const signer = new base::TokenSigner("EdDSA", "ed-1");
  return *signer;
}
std::vector<WebKey> Keys(const std::vector<const base::TokenSigner*>& signers = {
                             &Rsa(), &Elliptic(), &Edwards()}) {
  return *ParseKeySet(base::KeySetOf(signers));
}

TokenTerms Terms() {
  return {.issuer = "https://id.example.com",
          .client_id = "fairlead",
          .nonce = "n-1",
          .username_claim = "preferred_username",
          .groups_claim = "groups"};
}

json::object Claims() {
  return {{"iss", "https://id.example.com"},
          {"aud", "fairlead"},
          {"sub", "1234"},
          {"nonce", "n-1"},
          {"iat", kNow - 5},
          {"exp", kNow + 300},
          {"preferred_username", "ann"},
          {"groups", json::array{"devs", "ops"}}};
}
json::object With(const char* name, json::value value) {
  json::object claims = Claims();
  claims[name] = std::move(value);
  return claims;
}
json::object Without(const char* name) {
  json::object claims = Claims();
  claims.erase(name);
  return claims;
}

absl::StatusOr<Person> CheckText(const std::string& token, const TokenTerms& terms = Terms()) {
  return CheckIdToken(token, Keys(), terms, absl::FromUnixSeconds(kNow));
}
absl::StatusOr<Person> Check(const json::object& claims, const TokenTerms& terms = Terms()) {
  return CheckText(Rsa().Sign(json::serialize(claims)), terms);
}
// "" when it is believed.
std::string WhyNot(const absl::StatusOr<Person>& person) {
  if (person.ok()) return "";
  EXPECT_TRUE(absl::IsUnauthenticated(person.status())) << person.status();
  return std::string(person.status().message());
}

TEST(IdTokenTest, EveryAlgorithmIsBelieved) {
  for (const base::TokenSigner* signer : {&Rsa(), &Elliptic(), &Edwards()}) {
    const auto person = CheckText(signer->Sign(json::serialize(Claims())));
    ASSERT_TRUE(person.ok()) << signer->id() << ": " << person.status();
    EXPECT_EQ(person->name, "ann");
    EXPECT_EQ(person->subject, "1234");
    EXPECT_THAT(person->groups, ElementsAre("devs", "ops"));
  }
}

TEST(IdTokenTest, ClaimsThatAreNotRightAreNamed) {
  struct Case {
    json::object claims;
    const char* why;
  };
  const std::vector<Case> cases = {
      {With("iss", "https://id.example.com/"), "another provider"},
      {With("iss", 7), "another provider"},
      {Without("iss"), "another provider"},
      {With("aud", "other"), "not for this client"},
      {With("aud", json::array{}), "not for this client"},
      {With("aud", json::array{"fairlead", 3}), "no list of texts"},
      {Without("aud"), "not for this client"},
      {With("aud", json::array{"fairlead", "other"}), "also for \"other\""},
      {With("azp", "other"), "made for another client"},
      {With("azp", 3), "made for another client"},
      {With("nonce", "n-2"), "of another login"},
      {With("nonce", ""), "of another login"},
      {Without("nonce"), "of another login"},
      {Without("exp"), "does not say when"},
      {Without("iat"), "does not say when"},
      {With("exp", "tomorrow"), "\"exp\" is no time"},
      {With("exp", 1e300), "\"exp\" is no time"},
      {With("iat", json::array{}), "\"iat\" is no time"},
      {With("nbf", nullptr), "\"nbf\" is no time"},
      {Without("sub"), "whom it is of"},
      {With("sub", ""), "whom it is of"},
      {Without("preferred_username"), "no claim \"preferred_username\""},
      {With("preferred_username", 3), "no claim \"preferred_username\""},
      {With("groups", json::object{}), "no list of"},
      {With("groups", json::array{"devs", 3}), "no list of"},
      {With("groups", json::array(1001, "x")), "no list of"},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(WhyNot(Check(each.claims)), HasSubstr(each.why)) << json::serialize(each.claims);
  }
}

TEST(IdTokenTest, TimesHaveAMinuteOfGrace) {
  struct Case {
    const char* claim;
    int64_t good;
    int64_t bad;
    const char* why;
  };
  for (const Case& each : {Case{"exp", kNow - 59, kNow - 60, "expired 1m ago"},
                           Case{"iat", kNow + 60, kNow + 61, "made 1m1s in the future"},
                           Case{"nbf", kNow + 60, kNow + 61, "not valid for another 1m1s"}}) {
    EXPECT_EQ(WhyNot(Check(With(each.claim, each.good))), "") << each.claim;
    EXPECT_THAT(WhyNot(Check(With(each.claim, each.bad))),
                AllOf(HasSubstr(each.why), HasSubstr("clock")))
        << each.claim;
  }
  // Parts of a second are allowed.
  EXPECT_EQ(WhyNot(Check(With("exp", static_cast<double>(kNow) + 0.5))), "");
}

TEST(IdTokenTest, OtherAudiencesMustBeNamedHereAndThePartyThere) {
  TokenTerms terms = Terms();
  terms.audiences = {"other"};
  json::object claims = With("aud", json::array{"other", "fairlead"});
  EXPECT_THAT(WhyNot(Check(claims, terms)), HasSubstr("whom it was made for"));
  claims["azp"] = "fairlead";
  EXPECT_EQ(WhyNot(Check(claims, terms)), "");
  EXPECT_THAT(WhyNot(Check(With("aud", "other"), terms)), HasSubstr("not for this client"));
}

TEST(IdTokenTest, NameAndGroupsAreTheClaimsThatAreNamed) {
  TokenTerms terms = Terms();
  terms.username_claim = "sub";
  terms.groups_claim = "role";
  const auto nobody = Check(Claims(), terms);
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_EQ(nobody->name, "1234");
  EXPECT_THAT(nobody->groups, IsEmpty());
  // One alone may be a text.
  EXPECT_THAT(Check(With("role", "ops"), terms)->groups, ElementsAre("ops"));
}

TEST(IdTokenTest, AddressThatIsNotVerifiedIsNoName) {
  TokenTerms terms = Terms();
  terms.username_claim = "email";
  json::object claims = With("email", "ann@example.com");
  EXPECT_THAT(WhyNot(Check(claims, terms)), HasSubstr("not verified"));
  claims["email_verified"] = "true";
  EXPECT_THAT(WhyNot(Check(claims, terms)), HasSubstr("not verified"));
  claims["email_verified"] = false;
  EXPECT_THAT(WhyNot(Check(claims, terms)), HasSubstr("not verified"));
  claims["email_verified"] = true;
  EXPECT_EQ(Check(claims, terms)->name, "ann@example.com");
}

TEST(IdTokenTest, NoSignatureIsNone) {
  const std::string claims = json::serialize(Claims());
  const auto encoded = [](absl::string_view text) { return absl::WebSafeBase64Escape(text); };
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":""})", "{}",
                             R"({"alg":["RS256"]})", R"({"alg":"RS384"})"}) {
    EXPECT_THAT(WhyNot(CheckText(absl::StrCat(encoded(header), ".", encoded(claims), "."))),
                HasSubstr("let the provider use RS256"))
        << header;
  }
}

// The public key is known to all: it must never be taken for a shared secret.
TEST(IdTokenTest, PublicKeyIsNoSharedSecret) {
  const std::string text =
      absl::StrCat(absl::WebSafeBase64Escape(R"({"alg":"HS256","kid":"rsa-1"})"), ".",
                   absl::WebSafeBase64Escape(json::serialize(Claims())));
  const std::string secret = Rsa().Jwk();
  std::string mac(32, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(mac.data()), &size);
  EXPECT_THAT(WhyNot(CheckText(absl::StrCat(text, ".", absl::WebSafeBase64Escape(mac)))),
              HasSubstr("signed with \"HS256\""));
}

TEST(IdTokenTest, WhatWasChangedIsNotBelieved) {
  for (const base::TokenSigner* signer : {&Rsa(), &Elliptic(), &Edwards()}) {
    const std::vector<std::string> good =
        absl::StrSplit(signer->Sign(json::serialize(Claims())), '.');
    const std::vector<std::string> other =
        absl::StrSplit(signer->Sign(json::serialize(With("sub", "9"))), '.');
    EXPECT_THAT(WhyNot(CheckText(absl::StrCat(good[0], ".", other[1], ".", good[2]))),
                HasSubstr("signature is wrong"));
    EXPECT_THAT(WhyNot(CheckText(absl::StrCat(good[0], ".", good[1], "."))),
                HasSubstr("signature is wrong"));
    // One bit.
    std::string changed = good[2];
    changed[8] = changed[8] == 'A' ? 'B' : 'A';
    EXPECT_THAT(WhyNot(CheckText(absl::StrCat(good[0], ".", good[1], ".", changed))),
                HasSubstr("signature is wrong"));
  }
}

TEST(IdTokenTest, KeyOfAnotherIsNotBelieved) {
  const base::TokenSigner impostor("RS256", "rsa-1");
  EXPECT_THAT(WhyNot(CheckText(impostor.Sign(json::serialize(Claims())))),
              HasSubstr("signature is wrong"));
}

TEST(IdTokenTest, KeyThatIsNotThereIsAskedFor) {
  const base::TokenSigner newer("ES256", "ec-2");
  const auto person = CheckText(newer.Sign(json::serialize(Claims())));
  EXPECT_TRUE(absl::IsNotFound(person.status())) << person.status();
  // A key is of one algorithm, whatever the token says of it.
  const auto other =
      CheckText(Rsa().SignWith(R"({"alg":"ES256","kid":"rsa-1"})", json::serialize(Claims())));
  EXPECT_TRUE(absl::IsNotFound(other.status())) << other.status();
}

TEST(IdTokenTest, WithoutAKeyIdThereMustBeOneKeyOfTheKind) {
  const std::string token = Rsa().SignWith(R"({"alg":"RS256"})", json::serialize(Claims()));
  EXPECT_EQ(WhyNot(CheckText(token)), "");
  const base::TokenSigner second("RS256", "rsa-2");
  EXPECT_THAT(
      WhyNot(CheckIdToken(token, Keys({&Rsa(), &second}), Terms(), absl::FromUnixSeconds(kNow))),
      HasSubstr("which of several keys"));
}

TEST(IdTokenTest, HeaderThatIsNotUnderstoodIsRefused) {
  EXPECT_THAT(
      WhyNot(CheckText(Rsa().SignWith(R"({"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":false})",
                                      json::serialize(Claims())))),
      HasSubstr("extensions"));
}

TEST(IdTokenTest, WhatIsNoTokenIsRefused) {
  const std::string good = Rsa().Sign(json::serialize(Claims()));
  for (const std::string& text : {
           std::string(),
           std::string("a.b"),
           std::string(".."),
           absl::StrCat(good, "."),
           absl::StrCat(" ", good),
           absl::StrCat(good, "="),
           absl::StrCat(good, "\n"),
           absl::StrCat("e30=", good.substr(good.find('.'))),
           absl::StrCat(absl::WebSafeBase64Escape("[]"), good.substr(good.find('.'))),
           absl::StrCat(absl::WebSafeBase64Escape("{\"a\":"), good.substr(good.find('.'))),
           absl::StrCat(good.substr(0, good.find('.')), ".", absl::WebSafeBase64Escape("7"), ".x"),
       }) {
    EXPECT_THAT(WhyNot(CheckText(text)), HasSubstr("not of the form")) << text;
  }
  EXPECT_THAT(WhyNot(CheckText("a.b.c.d.e")), HasSubstr("encrypted"));
  EXPECT_THAT(WhyNot(CheckText(std::string(70'000, 'a'))), HasSubstr("too long"));
}

TEST(IdTokenTest, RefusalsDoNotHoldTheToken) {
  const std::string token = Rsa().Sign(json::serialize(With("aud", "other")));
  EXPECT_THAT(WhyNot(CheckText(token)), Not(HasSubstr(token.substr(token.rfind('.') + 1))));
}

}  // namespace
}  // namespace fairlead::access::oidc
