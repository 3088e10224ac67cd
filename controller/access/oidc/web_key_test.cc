#include "controller/access/oidc/web_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "base/testing/token_signer.h"

namespace fairlead::access::oidc {
namespace {

std::vector<std::string> IdsOf(const std::string& json) {
  const auto keys = ParseKeySet(json);
  EXPECT_TRUE(keys.ok()) << keys.status();
  std::vector<std::string> ids;
  for (const WebKey& key : *keys) ids.push_back(absl::StrCat(key.algorithm, " ", key.id));
  return ids;
}
std::vector<std::string> IdsOfOne(const std::string& key) {
  return IdsOf(absl::StrCat(R"({"keys":[)", key, "]}"));
}

TEST(WebKeyTest, WhatDoesNotSignIsLeftOut) {
  const base::TokenSigner rsa("RS256", "a");
  const base::TokenSigner elliptic("ES256", "b");
  EXPECT_THAT(
      IdsOf(absl::StrCat(R"({"keys":[3,{},{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-521"},)",
                         absl::StrReplaceAll(rsa.Jwk(), {{R"("use":"sig")", R"("use":"enc")"}}),
                         ",", elliptic.Jwk(), ",", rsa.Jwk(), "]}")),
      ::testing::ElementsAre("ES256 b", "RS256 a"));
}

TEST(WebKeyTest, OneWithoutUseAndAlgorithmSigns) {
  const base::TokenSigner key("ES256", "b");
  EXPECT_THAT(IdsOfOne(absl::StrReplaceAll(key.Jwk(),
                                           {{R"("use":"sig",)", ""}, {R"("alg":"ES256",)", ""}})),
              ::testing::ElementsAre("ES256 b"));
}

TEST(WebKeyTest, WeakAndBrokenKeysAreLeftOut) {
  EXPECT_THAT(IdsOfOne(base::TokenSigner("RS256", "a", 1024).Jwk()), ::testing::IsEmpty());
  const base::TokenSigner rsa("RS256", "a");
  EXPECT_THAT(IdsOfOne(absl::StrReplaceAll(rsa.Jwk(), {{R"("alg":"RS256")", R"("alg":"RS512")"}})),
              ::testing::IsEmpty());
  EXPECT_THAT(IdsOfOne(absl::StrReplaceAll(rsa.Jwk(), {{R"("e":"AQAB")", R"("e":"AQ")"}})),
              ::testing::IsEmpty());
  const base::TokenSigner elliptic("ES256", "b");
  // Not on the curve.
  const std::string json = elliptic.Jwk();
  const std::size_t at = json.find(R"("y":")") + 6;
  std::string moved = json;
  moved[at] = moved[at] == 'A' ? 'B' : 'A';
  EXPECT_THAT(IdsOfOne(moved), ::testing::IsEmpty());
  EXPECT_THAT(IdsOfOne(json.substr(0, at) + "AAAA\"}"), ::testing::IsEmpty());
}

TEST(WebKeyTest, WhatIsNoKeySetIsSaid) {
  for (const char* text : {"", "[]", "{}", R"({"keys":{}})", "<html>"}) {
    EXPECT_TRUE(absl::IsUnavailable(ParseKeySet(text).status())) << text;
  }
}

TEST(WebKeyTest, OnlyPlainBase64IsDecoded) {
  std::string bytes;
  EXPECT_TRUE(DecodeBase64Url("aGk", &bytes));
  EXPECT_EQ(bytes, "hi");
  EXPECT_TRUE(DecodeBase64Url("", &bytes));
  for (const char* text : {"aGk=", "aG k", "aGk\n", "a+/b", "a"}) {
    EXPECT_FALSE(DecodeBase64Url(text, &bytes)) << text;
  }
}

}  // namespace
}  // namespace fairlead::access::oidc
