#include "controller/http/signature.h"

#include <gtest/gtest.h>

namespace fairlead::http {
namespace {

TEST(SignatureTest, KnownValuesMatch) {
  // The example of GitHub's documentation.
  EXPECT_TRUE(IsSignatureOf("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                            "Hello, World!", "It's a Secret to Everybody"));
  // RFC 4231, test cases 2 and 6 (a key longer than a block).
  EXPECT_TRUE(IsSignatureOf("5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
                            "what do ya want for nothing?", "Jefe"));
  EXPECT_TRUE(IsSignatureOf("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
                            "Test Using Larger Than Block-Size Key - Hash Key First",
                            std::string(131, '\xaa')));
}

TEST(SignatureTest, AnythingElseDoesNot) {
  const std::string good = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const std::string body = "Hello, World!";
  const std::string secret = "It's a Secret to Everybody";
  std::string other = good;
  other.back() = '8';
  EXPECT_FALSE(IsSignatureOf(other, body, secret));
  EXPECT_FALSE(IsSignatureOf(good.substr(2), body, secret));
  EXPECT_FALSE(IsSignatureOf(good + "00", body, secret));
  EXPECT_FALSE(IsSignatureOf(std::string(64, 'g'), body, secret));
  EXPECT_FALSE(IsSignatureOf("", body, secret));
  EXPECT_FALSE(IsSignatureOf(good, "Hello, World", secret));
  EXPECT_FALSE(IsSignatureOf(good, body, "another"));
}

TEST(SignatureTest, SecretsAreComparedWhole) {
  EXPECT_TRUE(IsSameSecret("abc", "abc"));
  EXPECT_FALSE(IsSameSecret("abd", "abc"));
  EXPECT_FALSE(IsSameSecret("ab", "abc"));
  EXPECT_FALSE(IsSameSecret("abcd", "abc"));
  EXPECT_FALSE(IsSameSecret("", "abc"));
}

}  // namespace
}  // namespace fairlead::http
