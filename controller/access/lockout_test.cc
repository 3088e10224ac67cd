#include "controller/access/lockout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace fairlead::access {
namespace {

using ::testing::HasSubstr;

class LockoutTest : public ::testing::Test {
 protected:
  void Fail(int times, const std::string& user = "ann", const std::string& address = "") {
    for (int i = 0; i < times; ++i) lockout_.NoteFailure(user, address, now_);
  }
  bool IsFree(const std::string& user, const std::string& address = "") {
    return lockout_.Check(user, address, now_).ok();
  }

  Lockout lockout_;
  absl::Duration now_ = absl::Hours(100);
};

TEST_F(LockoutTest, FirstFailuresAreFreeThenTheWaitDoubles) {
  Fail(5);
  EXPECT_TRUE(IsFree("ann"));
  for (const int seconds : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900}) {
    Fail(1);
    EXPECT_FALSE(IsFree("ann")) << seconds;
    now_ += absl::Seconds(seconds) - absl::Nanoseconds(1);
    EXPECT_FALSE(IsFree("ann")) << seconds;
    now_ += absl::Nanoseconds(1);
    EXPECT_TRUE(IsFree("ann")) << seconds;
  }
}

TEST_F(LockoutTest, MessageSaysHowLongToWait) {
  Fail(8);
  const absl::Status status = lockout_.Check("ann", "", now_);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("try again in 4s"));
}

TEST_F(LockoutTest, OthersAreNotLockedOut) {
  Fail(50);
  EXPECT_TRUE(IsFree("bob"));
  EXPECT_TRUE(IsFree("", "10.0.0.1"));
}

TEST_F(LockoutTest, AddressThatTriesManyUsersIsLockedOutOfAll) {
  for (int i = 0; i < 20; ++i) Fail(1, absl::StrCat("user", i), "10.0.0.1");
  EXPECT_TRUE(IsFree("bob", "10.0.0.1"));
  Fail(1, "user20", "10.0.0.1");
  EXPECT_FALSE(IsFree("bob", "10.0.0.1"));
  EXPECT_TRUE(IsFree("bob", "10.0.0.2"));
}

TEST_F(LockoutTest, AddressesOfOneSiteAreOne) {
  for (int i = 0; i < 21; ++i) Fail(1, "", absl::StrCat("2001:db8::", i + 1));
  EXPECT_FALSE(IsFree("", "2001:db8::ffff"));
  EXPECT_TRUE(IsFree("", "2001:db8:0:1::1"));
}

TEST_F(LockoutTest, AFloodOfAddressesMakesNoUserForgotten) {
  Lockout small(LockoutPolicy{.free_of_a_user = 0, .most = 10});
  small.NoteFailure("ann", "", now_);
  for (int i = 0; i < 100; ++i) {
    small.NoteFailure("", absl::StrCat("10.0.0.", i), now_ + absl::Nanoseconds(i + 1));
  }
  EXPECT_FALSE(small.Check("ann", "", now_).ok());
}

TEST_F(LockoutTest, SuccessForgetsTheUserAndAnHourEverything) {
  Fail(6, "ann", "10.0.0.1");
  lockout_.NoteSuccess("ann");
  EXPECT_TRUE(IsFree("ann"));
  Fail(15, "", "10.0.0.1");
  EXPECT_FALSE(IsFree("", "10.0.0.1"));
  now_ += absl::Minutes(61);
  Fail(20, "", "10.0.0.1");
  EXPECT_TRUE(IsFree("", "10.0.0.1"));
}

TEST_F(LockoutTest, RemembersABoundedNumberAndTheNewest) {
  Lockout small(LockoutPolicy{.free_of_a_user = 0, .most = 10});
  for (int i = 0; i < 100; ++i) {
    small.NoteFailure(absl::StrCat("user", i), "", now_ + absl::Nanoseconds(i));
  }
  EXPECT_TRUE(small.Check("user0", "", now_).ok());
  EXPECT_FALSE(small.Check("user99", "", now_).ok());
}

TEST(RateLimitTest, BurstThenSteady) {
  RateLimit limit(60, 3);
  absl::Duration now = absl::Hours(1);
  EXPECT_TRUE(limit.Take(now));
  EXPECT_TRUE(limit.Take(now));
  EXPECT_TRUE(limit.Take(now));
  EXPECT_FALSE(limit.Take(now));
  now += absl::Milliseconds(1001);
  EXPECT_TRUE(limit.Take(now));
  EXPECT_FALSE(limit.Take(now));
  now += absl::Hours(1);
  EXPECT_TRUE(limit.Take(now));
  EXPECT_TRUE(limit.Take(now));
  EXPECT_TRUE(limit.Take(now));
  EXPECT_FALSE(limit.Take(now));
}

}  // namespace
}  // namespace fairlead::access
