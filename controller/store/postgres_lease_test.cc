#include "controller/store/postgres_lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/store/testing/postgres_test.h"

namespace fairlead::store {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
// No test lasts so long.
constexpr absl::Duration kLong = absl::Hours(1);

LeaseClaim ClaimOf(const std::string& holder) {
  return {.holder = holder,
          .address = holder + ":7400",
          .http_address = holder + ":7401",
          .authority = "aa"};
}

StoreBatch Setting(const std::string& value) {
  StoreBatch batch;
  v1::Event event;
  event.set_id(1);
  event.set_message(value);
  batch.append_events.push_back(event);
  return batch;
}

class PostgresLeaseTest : public PostgresTest {
 protected:
  std::unique_ptr<PostgresLease> OpenLease() { return OpenLease(cluster_->Socket(database_)); }
  std::unique_ptr<PostgresLease> OpenLease(const std::string& url) {
    auto lease = PostgresLease::Open(AddressOf(url), absl::UnixEpoch());
    EXPECT_TRUE(lease.ok()) << lease.status();
    return lease.ok() ? *std::move(lease) : nullptr;
  }
  // The lease has not been renewed for long.
  void LetItEnd() { cluster_->Sql(database_, "UPDATE controller_lease SET expires = 1"); }

  absl::StatusOr<std::unique_ptr<PostgresStore>> OpenIn(int64_t term) {
    PostgresStoreOptions options;
    options.term = term;
    return PostgresStore::Open(AddressOf(cluster_->Socket(database_)), clock_, base::Random::Real(),
                               options);
  }
};

TEST_F(PostgresLeaseTest, OnlyOneHoldsIt) {
  const auto first = OpenLease();
  const auto second = OpenLease();
  const auto held = first->Acquire(ClaimOf("a"), kLong, kPatience);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->term, 1);
  EXPECT_EQ(held->claim, ClaimOf("a"));
  const auto seen = second->Acquire(ClaimOf("b"), kLong, kPatience);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->claim, ClaimOf("a"));
  EXPECT_EQ(seen->term, 1);
  EXPECT_GT(seen->left, absl::ZeroDuration());
}

TEST_F(PostgresLeaseTest, AnEndedOneMovesAndTheTermRises) {
  const auto first = OpenLease();
  const auto second = OpenLease();
  ASSERT_TRUE(first->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  LetItEnd();
  const auto moved = second->Acquire(ClaimOf("b"), kLong, kPatience);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->term, 2);
  EXPECT_EQ(moved->claim, ClaimOf("b"));
  // The one before sees who has it.
  const auto renewed = first->Renew(ClaimOf("a"), 1, kLong, kPatience);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->claim, ClaimOf("b"));
}

TEST_F(PostgresLeaseTest, AnEndedOneIsNotRenewed) {
  const auto lease = OpenLease();
  ASSERT_TRUE(lease->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  LetItEnd();
  const auto renewed = lease->Renew(ClaimOf("a"), 1, kLong, kPatience);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_LT(renewed->left, absl::ZeroDuration());
}

TEST_F(PostgresLeaseTest, ARenewalProlongs) {
  const auto lease = OpenLease();
  ASSERT_TRUE(lease->Acquire(ClaimOf("a"), absl::Minutes(10), kPatience).ok());
  const std::string before = cluster_->Sql(database_, "SELECT expires FROM controller_lease");
  const auto renewed = lease->Renew(ClaimOf("a"), 1, kLong, kPatience);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->term, 1);
  EXPECT_EQ(cluster_->Sql(database_, "SELECT expires > " + before + " FROM controller_lease"), "t");
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT t.expires = l.expires FROM controller_terms t, "
                          "controller_lease l WHERE t.term = 1"),
            "t");
}

TEST_F(PostgresLeaseTest, TheHolderGetsANewTermAfterARestart) {
  ASSERT_TRUE(OpenLease()->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  const auto again = OpenLease()->Acquire(ClaimOf("a"), kLong, kPatience);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->term, 2);
  // Offices do not overlap in the record, although the first lease had an hour left.
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT a.expires = b.began AND b.expires > a.expires "
                          "FROM controller_terms a, controller_terms b "
                          "WHERE a.term = 1 AND b.term = 2"),
            "t");
}

TEST_F(PostgresLeaseTest, AReleasedOneIsFreeAtOnceAndTheRecordSaysUntilWhen) {
  const auto first = OpenLease();
  ASSERT_TRUE(first->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  ASSERT_TRUE(first->Release(1, kPatience).ok());
  const auto second = OpenLease()->Acquire(ClaimOf("b"), kLong, kPatience);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->term, 2);
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT a.stopped > a.began AND a.stopped <= b.began AND b.stopped = 0 "
                          "FROM controller_terms a, controller_terms b "
                          "WHERE a.term = 1 AND b.term = 2"),
            "t");
}

TEST_F(PostgresLeaseTest, TheEndOfAnOfficeIsNotedOnceInTheDatabasesTime) {
  const auto lease = OpenLease();
  ASSERT_TRUE(lease->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  ASSERT_TRUE(lease->NoteStopped(1, absl::Hours(2), kPatience).ok());
  const std::string noted = cluster_->Sql(database_, "SELECT stopped FROM controller_terms");
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT began - stopped > 3600000000::bigint FROM "
                          "controller_terms"),
            "t");
  ASSERT_TRUE(lease->NoteStopped(1, absl::ZeroDuration(), kPatience).ok());
  EXPECT_EQ(cluster_->Sql(database_, "SELECT stopped FROM controller_terms"), noted);
}

TEST_F(PostgresLeaseTest, AQuestionThatArrivesLateIsForTheTermThatWasSeen) {
  const auto lease = OpenLease();
  const auto other = Connect(cluster_->Socket(database_));
  // Our first question waits for somebody who sits on the row; its answer comes too late for us.
  ASSERT_TRUE(other->Execute("BEGIN; UPDATE controller_lease SET holder = holder").ok());
  EXPECT_EQ(lease->Acquire(ClaimOf("a"), kLong, absl::Milliseconds(200)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(other->Execute("COMMIT").ok());
  // Whether it was done or not meanwhile: we are in one office, and it is the present one.
  const auto held = lease->Acquire(ClaimOf("a"), kLong, kPatience);
  ASSERT_TRUE(held.ok()) << held.status();
  const auto renewed = lease->Renew(ClaimOf("a"), held->term, kLong, kPatience);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->term, held->term);
  EXPECT_EQ(cluster_->Sql(database_,
                          "SELECT w.term = l.term FROM store_writer w, "
                          "controller_lease l"),
            "t");
}

TEST_F(PostgresLeaseTest, AStoreOfAnEarlierTermWritesNothingMore) {
  const auto first = OpenLease();
  ASSERT_TRUE(first->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  auto old = OpenIn(1);
  ASSERT_TRUE(old.ok()) << old.status();
  ASSERT_TRUE((*old)->Apply(Setting("one")).ok());
  LetItEnd();
  ASSERT_TRUE(OpenLease()->Acquire(ClaimOf("b"), kLong, kPatience).ok());
  // The new one has not even opened its store yet.
  StoreBatch late = Setting("late");
  late.append_events.front().set_id(2);
  EXPECT_EQ((*old)->Apply(late).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(OpenIn(1).status().code(), absl::StatusCode::kFailedPrecondition);
  auto fresh = OpenIn(2);
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  const auto events = (*fresh)->ListEvents({});
  ASSERT_TRUE(events.ok()) << events.status();
  EXPECT_EQ(events->size(), 1u);
}

TEST_F(PostgresLeaseTest, AConnectionMadeAnewDoesNotComeBackIntoALaterTerm) {
  ASSERT_TRUE(OpenLease()->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  auto old = OpenIn(1);
  ASSERT_TRUE(old.ok()) << old.status();
  LetItEnd();
  ASSERT_TRUE(OpenLease()->Acquire(ClaimOf("b"), kLong, kPatience).ok());
  cluster_->Sql(database_,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                "pg_backend_pid() AND datname = current_database()");
  EXPECT_EQ((*old)->Apply(Setting("late")).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(PostgresLeaseTest, ADatabaseThatDoesNotAnswerIsGivenUpInTime) {
  const auto lease = OpenLease();
  ASSERT_TRUE(lease->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  // Somebody sits on the row.
  const auto other = Connect(cluster_->Socket(database_));
  ASSERT_TRUE(other->Execute("BEGIN; UPDATE controller_lease SET term = term").ok());
  const auto renewed = lease->Renew(ClaimOf("a"), 1, kLong, absl::Milliseconds(50));
  EXPECT_EQ(renewed.status().code(), absl::StatusCode::kDeadlineExceeded) << renewed.status();
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  const auto again = lease->Renew(ClaimOf("a"), 1, kLong, kPatience);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->term, 1);
}

TEST_F(PostgresLeaseTest, ADatabaseThatIsGoneIsUnavailableAndComesBack) {
  const auto lease = OpenLease(cluster_->Loopback(database_));
  ASSERT_TRUE(lease->Acquire(ClaimOf("a"), kLong, kPatience).ok());
  cluster_->Crash();
  EXPECT_EQ(lease->Renew(ClaimOf("a"), 1, kLong, kPatience).status().code(),
            absl::StatusCode::kUnavailable);
  ASSERT_TRUE(cluster_->Start());
  const auto renewed = lease->Renew(ClaimOf("a"), 1, kLong, kPatience);
  ASSERT_TRUE(renewed.ok()) << renewed.status();
  EXPECT_EQ(renewed->term, 1);
}

TEST_F(PostgresLeaseTest, TablesOfAnOlderProgramStayAsTheyAre) {
  ASSERT_NE(Open(cluster_->Socket(database_)), nullptr);
  cluster_->Sql(database_,
                "DROP TABLE controller_terms; DROP TABLE attempts; "
                "DELETE FROM migrations WHERE name = 'attempts'");
  ASSERT_NE(OpenLease(), nullptr);
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM migrations WHERE name = 'attempts'"),
            "0");
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM controller_terms"), "0");
}

}  // namespace
}  // namespace fairlead::store
