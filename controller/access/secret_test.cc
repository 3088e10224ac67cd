#include "controller/access/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/access/passwords.h"

namespace fairlead::access {
namespace {

TEST(SecretTest, ComesBackFromItsText) {
  const Secret made = NewSecret(kKeyKind);
  const auto read = ParseSecret(made.Text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->kind, "flk");
  EXPECT_EQ(read->id, made.id);
  EXPECT_EQ(read->secret, made.secret);
  EXPECT_NE(NewSecret(kKeyKind).secret, made.secret);
}

TEST(SecretTest, OtherTextsAreNone) {
  const std::string good = NewSecret(kSessionKind).Text();
  EXPECT_TRUE(ParseSecret(good).has_value());
  EXPECT_FALSE(ParseSecret(good + "a").has_value());
  EXPECT_FALSE(ParseSecret(good.substr(1)).has_value());
  EXPECT_FALSE(ParseSecret("x" + good.substr(1)).has_value());
  EXPECT_FALSE(ParseSecret(good + "_a").has_value());
  EXPECT_FALSE(ParseSecret("").has_value());
  EXPECT_FALSE(ParseSecret("flk_0123456789_0123456789012345678901234567890A").has_value());
}

TEST(SecretTest, OnlyTheSameBytesAreEqual) {
  EXPECT_TRUE(EqualBytes("ab", "ab"));
  EXPECT_FALSE(EqualBytes("ab", "ac"));
  EXPECT_FALSE(EqualBytes("ab", "abc"));
}

TEST(PasswordTest, OnlyThePasswordFitsItsHash) {
  const auto hash = HashPassword("correct horse");
  ASSERT_TRUE(hash.ok()) << hash.status();
  EXPECT_THAT(*hash, ::testing::StartsWith("$argon2id$"));
  EXPECT_TRUE(IsPasswordOf("correct horse", *hash));
  EXPECT_FALSE(IsPasswordOf("correct horsf", *hash));
  EXPECT_FALSE(IsPasswordOf("", ""));
  EXPECT_NE(*HashPassword("correct horse"), *hash);
}

TEST(PasswordTest, ShortOnesAreRefused) {
  EXPECT_THAT(CheckPasswordForm("1234567").message(), ::testing::HasSubstr("at least 8"));
  EXPECT_TRUE(CheckPasswordForm("12345678").ok());
  EXPECT_FALSE(CheckPasswordForm(std::string(2000, 'a')).ok());
}

}  // namespace
}  // namespace fairlead::access
