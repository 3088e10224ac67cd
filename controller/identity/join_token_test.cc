#include "controller/identity/join_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ids.h"

namespace fairlead::identity {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

NewToken Make(TokenTerms terms) {
  terms.expires = kNow + absl::Hours(1);
  return MakeToken(terms, kNow, base::Random::Real()).value();
}

TEST(JoinTokenTest, TextGoesThereAndBack) {
  const TokenText token{
      .fingerprint = std::string(31, '\xff') + "\x3e", .id = "ab", .secret = "cd"};
  const std::string text = FormatToken(token);
  EXPECT_THAT(text, ::testing::StartsWith("fl1."));
  const auto parsed = ParseToken(" " + text + "\n");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->fingerprint, token.fingerprint);
  EXPECT_EQ(parsed->id, "ab");
  EXPECT_EQ(parsed->secret, "cd");
}

TEST(JoinTokenTest, PartsOfATokenAreRefusedWithoutRepeatingThem) {
  const std::string text =
      FormatToken({.fingerprint = std::string(32, 'x'), .id = "id", .secret = "hush-hush"});
  for (const std::string& wrong :
       {std::string(), text.substr(4), text.substr(0, 20), "fl2" + text.substr(3), text + ".x",
        text.substr(0, text.rfind('.') + 1), std::string(1000, 'a')}) {
    const auto parsed = ParseToken(wrong);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << wrong;
    EXPECT_THAT(parsed.status().message(), Not(HasSubstr("hush")));
  }
}

TEST(JoinTokenTest, TheSecretIsNotKept) {
  const NewToken made = Make({});
  EXPECT_EQ(made.record.secret_hash().size(), 32u);
  EXPECT_THAT(made.record.DebugString(), Not(HasSubstr(made.secret)));
  EXPECT_NE(Make({}).secret, made.secret);
}

TEST(JoinTokenTest, TermsThatContradictEachOtherAreRefused) {
  base::Random& random = base::Random::Real();
  const absl::Time soon = kNow + absl::Hours(1);
  EXPECT_FALSE(MakeToken({.server = "a", .tag = "b", .expires = soon}, kNow, random).ok());
  EXPECT_FALSE(MakeToken({.server = "a b", .tag = "", .expires = soon}, kNow, random).ok());
  EXPECT_FALSE(MakeToken({.server = "", .tag = "", .expires = kNow}, kNow, random).ok());
  EXPECT_FALSE(
      MakeToken({.server = "", .tag = "", .expires = kNow + absl::Hours(9000)}, kNow, random).ok());
}

struct Case {
  std::string name;
  TokenTerms terms;
  Joining joining;
  // Of the token when it is used.
  uint32_t uses = 0;
  bool revoked = false;
  absl::Duration age;
  bool wrong_secret = false;
  // Empty: allowed.
  std::string refusal;
};

TEST(JoinTokenTest, WhoMayJoin) {
  const Case cases[] = {
      {.name = "its server", .terms = {.server = "a"}, .joining = {.server = "a"}, .refusal = ""},
      {.name = "another server",
       .terms = {.server = "a"},
       .joining = {.server = "b"},
       .refusal = "is for server \"a\", not for \"b\""},
      {.name = "its server again, which has an agent",
       .terms = {.server = "a"},
       .joining = {.server = "a", .has_certificate = true},
       .refusal = ""},
      {.name = "any server", .terms = {}, .joining = {.server = "b"}, .refusal = ""},
      {.name = "any server, but one that has an agent",
       .terms = {},
       .joining = {.server = "b", .has_certificate = true},
       .refusal = "has an agent already; to replace it, make a token with --server b"},
      {.name = "with the tag",
       .terms = {.tag = "edge"},
       .joining = {.server = "b", .tags = {"edge", "x"}},
       .refusal = ""},
      {.name = "without the tag",
       .terms = {.tag = "edge"},
       .joining = {.server = "b", .tags = {"x"}},
       .refusal = "is not declared with it"},
      {.name = "a tag does not take a name over",
       .terms = {.tag = "edge"},
       .joining = {.server = "b", .tags = {"edge"}, .has_certificate = true},
       .refusal = "has an agent already"},
      {.name = "used",
       .terms = {.server = "a"},
       .joining = {.server = "a"},
       .uses = 1,
       .refusal = "was used already"},
      {.name = "used, but for many",
       .terms = {.server = "", .multi_use = true},
       .joining = {.server = "a"},
       .uses = 7,
       .refusal = ""},
      {.name = "revoked",
       .terms = {.server = "a"},
       .joining = {.server = "a"},
       .revoked = true,
       .refusal = "is revoked"},
      {.name = "its last second",
       .terms = {.server = "a"},
       .joining = {.server = "a"},
       .age = absl::Hours(1) - absl::Seconds(1),
       .refusal = ""},
      {.name = "expired",
       .terms = {.server = "a"},
       .joining = {.server = "a"},
       .age = absl::Hours(1),
       .refusal = "has expired at 2023-11-14 23:13:20 UTC"},
      {.name = "a guess learns nothing of the token",
       .terms = {.server = "a"},
       .joining = {.server = "b"},
       .revoked = true,
       .wrong_secret = true,
       .refusal = "the secret of the join token is wrong"},
  };
  for (const Case& test : cases) {
    NewToken made = Make(test.terms);
    made.record.set_uses(test.uses);
    made.record.set_revoked(test.revoked);
    const absl::Status status =
        CheckToken(made.record, test.wrong_secret ? made.secret + "x" : made.secret, test.joining,
                   kNow + test.age);
    if (test.refusal.empty()) {
      EXPECT_TRUE(status.ok()) << test.name << ": " << status;
    } else {
      EXPECT_TRUE(absl::IsPermissionDenied(status)) << test.name << ": " << status;
      EXPECT_THAT(status.message(), HasSubstr(test.refusal)) << test.name;
    }
  }
}

}  // namespace
}  // namespace fairlead::identity
