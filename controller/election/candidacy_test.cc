#include "controller/election/candidacy.h"

#include <gtest/gtest.h>

namespace fairlead::election {
namespace {

// Renewed every second, and 300 ms of margin.
constexpr ElectionTerms kTerms{.lease = absl::Seconds(3)};
constexpr absl::Duration kBegin = absl::Hours(5);

store::LeaseSight Sight(const std::string& holder, int64_t term, absl::Duration left) {
  return {.term = term, .claim = {.holder = holder}, .left = left};
}

Candidacy InOffice() {
  Candidacy candidacy(kTerms, "me");
  candidacy.OnAnswer(kBegin, kBegin, Sight("me", 7, absl::Seconds(3)));
  return candidacy;
}

TEST(CandidacyTest, AsksAtOnce) { EXPECT_TRUE(Candidacy(kTerms, "me").IsDue(kBegin)); }

TEST(CandidacyTest, TheOfficeCountsFromBeforeTheQuestionAndEndsEarlier) {
  Candidacy candidacy(kTerms, "me");
  candidacy.OnAnswer(kBegin, kBegin + absl::Seconds(1), Sight("me", 7, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 7);
  EXPECT_EQ(candidacy.valid_until(), kBegin + absl::Milliseconds(2700));
}

TEST(CandidacyTest, RenewsEveryThird) {
  const Candidacy candidacy = InOffice();
  EXPECT_FALSE(candidacy.IsDue(kBegin + absl::Milliseconds(999)));
  EXPECT_TRUE(candidacy.IsDue(kBegin + absl::Seconds(1)));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Seconds(1));
}

TEST(CandidacyTest, ARenewalMovesTheEnd) {
  Candidacy candidacy = InOffice();
  const absl::Duration sent = kBegin + absl::Seconds(1);
  candidacy.OnAnswer(sent, sent, Sight("me", 7, absl::Seconds(3)));
  EXPECT_EQ(candidacy.valid_until(), sent + absl::Milliseconds(2700));
}

TEST(CandidacyTest, WithoutAnAnswerItStaysInOfficeUntilItsEndAndAsksAgainSoon) {
  Candidacy candidacy = InOffice();
  const absl::Duration later = kBegin + absl::Seconds(2);
  candidacy.OnAnswer(kBegin + absl::Seconds(1), later, absl::UnavailableError("gone"));
  EXPECT_EQ(candidacy.term(), 7);
  EXPECT_EQ(candidacy.NextAt(), later + absl::Milliseconds(200));
  candidacy.Expire(kBegin + absl::Milliseconds(2699));
  EXPECT_EQ(candidacy.term(), 7);
  candidacy.Expire(kBegin + absl::Milliseconds(2700));
  EXPECT_EQ(candidacy.term(), 0);
}

TEST(CandidacyTest, NoAnswerIsAwaitedBeyondTheEnd) {
  const Candidacy candidacy = InOffice();
  EXPECT_EQ(candidacy.PatienceAt(kBegin + absl::Seconds(1)), absl::Seconds(1));
  EXPECT_EQ(candidacy.PatienceAt(kBegin + absl::Milliseconds(2600)), absl::Milliseconds(100));
}

TEST(CandidacyTest, AnAnswerThatComesTooLateIsNoOffice) {
  Candidacy candidacy(kTerms, "me");
  candidacy.OnAnswer(kBegin, kBegin + absl::Seconds(3), Sight("me", 7, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 0);
  EXPECT_TRUE(candidacy.IsDue(kBegin + absl::Seconds(3)));
}

TEST(CandidacyTest, AnotherHolderEndsTheOfficeAtOnce) {
  Candidacy candidacy = InOffice();
  const absl::Duration sent = kBegin + absl::Seconds(1);
  candidacy.OnAnswer(sent, sent, Sight("other", 8, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 0);
}

TEST(CandidacyTest, ALaterTermOfItsOwnIsNotThatOffice) {
  Candidacy candidacy = InOffice();
  const absl::Duration sent = kBegin + absl::Seconds(1);
  candidacy.OnAnswer(sent, sent, Sight("me", 9, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 0);
}

TEST(CandidacyTest, AStandbyAsksWhenTheLeaseIsFree) {
  Candidacy candidacy(kTerms, "me");
  candidacy.OnAnswer(kBegin, kBegin, Sight("other", 7, absl::Milliseconds(400)));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Milliseconds(400));
  candidacy.OnAnswer(kBegin, kBegin, Sight("other", 7, absl::Milliseconds(2900)));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Seconds(1));
  // Not in a tight loop when it is free and yet not given.
  candidacy.OnAnswer(kBegin, kBegin, Sight("other", 7, -absl::Seconds(9)));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Milliseconds(50));
}

TEST(CandidacyTest, WhoWithdrawsLetsOthersGoFirst) {
  Candidacy candidacy = InOffice();
  candidacy.Withdraw(kBegin + absl::Seconds(10));
  EXPECT_EQ(candidacy.term(), 0);
  EXPECT_FALSE(candidacy.IsStanding(kBegin + absl::Milliseconds(9999)));
  EXPECT_TRUE(candidacy.IsStanding(kBegin + absl::Seconds(10)));
}

TEST(CandidacyTest, WhoDoesNotStandLooksAndIsNotElected) {
  Candidacy candidacy = InOffice();
  candidacy.Withdraw(kBegin + absl::Seconds(10));
  EXPECT_TRUE(candidacy.IsDue(kBegin));
  // What it gave up may still be in the row.
  candidacy.OnAnswer(kBegin, kBegin, Sight("me", 7, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 0);
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Seconds(1));
  // A lease that is free is no reason to hurry; to stand again in time is one.
  absl::Duration now = kBegin + absl::Seconds(1);
  candidacy.OnAnswer(now, now, Sight("me", 7, absl::ZeroDuration()));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Seconds(2));
  now = kBegin + absl::Milliseconds(9600);
  candidacy.OnAnswer(now, now, Sight("other", 8, absl::Seconds(3)));
  EXPECT_EQ(candidacy.NextAt(), kBegin + absl::Seconds(10));
  now = kBegin + absl::Seconds(10);
  candidacy.OnAnswer(now, now, Sight("me", 9, absl::Seconds(3)));
  EXPECT_EQ(candidacy.term(), 9);
}

// Whatever answers come when, the holder's time ends before the database's does.
TEST(CandidacyTest, TheOfficeNeverOutlastsTheLease) {
  for (int took = 0; took <= 4000; took += 50) {
    for (int asked = 0; asked <= 3000; asked += 250) {
      Candidacy candidacy = InOffice();
      absl::Duration lease_ends = kBegin + kTerms.lease;
      const absl::Duration sent = kBegin + absl::Milliseconds(asked);
      candidacy.Expire(sent);
      if (candidacy.term() == 0) continue;
      // The database has taken it the moment it was sent: the earliest end there is.
      lease_ends = sent + kTerms.lease;
      candidacy.OnAnswer(sent, sent + absl::Milliseconds(took), Sight("me", 7, kTerms.lease));
      if (candidacy.term() != 0) {
        EXPECT_LT(candidacy.valid_until(), lease_ends);
      }
    }
  }
}

}  // namespace
}  // namespace fairlead::election
