#include "controller/election/elector.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace fairlead::election {
namespace {

// No test lasts so long.
constexpr absl::Duration kLong = absl::Hours(1);

// The database's side in memory, for several electors. Thread-safe.
class FakeDatabase {
 public:
  absl::StatusOr<store::LeaseSight> Ask(const store::LeaseClaim& claim, int64_t term,
                                        absl::Duration life) {
    base::MutexLock lock(mutex_);
    if (down_) return absl::UnavailableError("the database is down");
    const bool renews = term != 0;
    if (renews ? row_.term == term && row_.left > absl::ZeroDuration()
               : row_.left <= absl::ZeroDuration()) {
      if (!renews) ++row_.term;
      row_.claim = claim;
      row_.left = life;
    }
    return row_;
  }
  store::LeaseSight Look() {
    base::MutexLock lock(mutex_);
    ++looks_;
    looked_.SignalAll();
    return row_;
  }
  // Waits for a look whose answer has arrived: the next one is asked for after it.
  void AwaitLook() {
    base::MutexLock lock(mutex_);
    const int wanted = looks_ + 2;
    while (looks_ < wanted) looked_.Wait(mutex_);
  }
  int64_t term() {
    base::MutexLock lock(mutex_);
    return row_.term;
  }
  void Release(int64_t term) {
    base::MutexLock lock(mutex_);
    if (row_.term == term) row_.left = absl::ZeroDuration();
  }
  void NoteStopped(int64_t term) {
    base::MutexLock lock(mutex_);
    stopped_.push_back(term);
  }
  void GiveTo(const std::string& holder) {
    base::MutexLock lock(mutex_);
    row_.claim = {.holder = holder, .address = holder + ":1"};
    row_.left = kLong;
    ++row_.term;
  }
  void set_down(bool down) {
    base::MutexLock lock(mutex_);
    down_ = down;
  }
  std::vector<int64_t> stopped() {
    base::MutexLock lock(mutex_);
    return stopped_;
  }

 private:
  base::Mutex mutex_;
  base::CondVar looked_;
  int looks_ ABSL_GUARDED_BY(mutex_) = 0;
  store::LeaseSight row_ ABSL_GUARDED_BY(mutex_);
  bool down_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<int64_t> stopped_ ABSL_GUARDED_BY(mutex_);
};

class FakeLease final : public store::Lease {
 public:
  explicit FakeLease(FakeDatabase& database) : database_(database) {}
  absl::StatusOr<store::LeaseSight> Look(absl::Duration) override { return database_.Look(); }
  absl::StatusOr<store::LeaseSight> Acquire(const store::LeaseClaim& claim, absl::Duration life,
                                            absl::Duration) override {
    return database_.Ask(claim, 0, life);
  }
  absl::StatusOr<store::LeaseSight> Renew(const store::LeaseClaim& claim, int64_t term,
                                          absl::Duration life, absl::Duration) override {
    return database_.Ask(claim, term, life);
  }
  absl::Status Release(int64_t term, absl::Duration) override {
    database_.Release(term);
    return absl::OkStatus();
  }
  absl::Status NoteStopped(int64_t term, absl::Duration, absl::Duration) override {
    database_.NoteStopped(term);
    return absl::OkStatus();
  }

 private:
  FakeDatabase& database_;
};

class ElectorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Elector> Make(const std::string& holder, absl::Duration lease = kLong) {
    ElectorOptions options;
    options.claim = {.holder = holder, .address = holder + ":1"};
    options.terms.lease = lease;
    options.longest_end = absl::ZeroDuration();
    options.on_change = [this] {
      base::MutexLock lock(mutex_);
      ++changes_;
      changed_.SignalAll();
    };
    options.on_overrun = [this] {
      base::MutexLock lock(mutex_);
      ++overruns_;
      changed_.SignalAll();
    };
    return std::make_unique<Elector>(std::make_unique<FakeLease>(database_), options);
  }
  // Waits, for as long as the test may last, until the elector is (or is not) in an office.
  int64_t AwaitTerm(const Elector& elector, bool in_office) {
    base::MutexLock lock(mutex_);
    while ((elector.standing().term != 0) != in_office) changed_.Wait(mutex_);
    return elector.standing().term;
  }
  void AwaitOverrun() {
    base::MutexLock lock(mutex_);
    while (overruns_ == 0) changed_.Wait(mutex_);
  }

  FakeDatabase database_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int changes_ = 0;
  int overruns_ = 0;
};

TEST_F(ElectorTest, TheFirstIsElectedAndTheSecondSeesIt) {
  const auto first = Make("a");
  const auto second = Make("b");
  first->Start();
  EXPECT_EQ(first->AwaitFirst().term, 1);
  EXPECT_TRUE(first->InOffice(1));
  EXPECT_FALSE(first->InOffice(2));
  second->Start();
  const Standing seen = second->AwaitFirst();
  EXPECT_EQ(seen.term, 0);
  EXPECT_TRUE(seen.has_other);
  EXPECT_EQ(seen.sight->claim.address, "a:1");
  EXPECT_EQ(seen.Text(), "a:1 is active in term 1");
}

TEST_F(ElectorTest, WhoStopsLeavesTheOfficeToTheOther) {
  auto first = Make("a");
  first->Start();
  ASSERT_EQ(first->AwaitFirst().term, 1);
  first->NoteEnded(1, kLong);
  EXPECT_FALSE(first->InOffice(1));
  first->Stop();
  const auto second = Make("b");
  second->Start();
  EXPECT_EQ(second->AwaitFirst().term, 2);
  EXPECT_EQ(database_.stopped(), std::vector<int64_t>{1});
}

TEST_F(ElectorTest, WhoLetsOthersGoFirstSeesWhoWasElected) {
  const auto elector = Make("a", absl::Seconds(1));
  elector->Start();
  ASSERT_EQ(elector->AwaitFirst().term, 1);
  elector->NoteEnded(1, kLong);
  // It leaves the office to others, free as it is.
  database_.AwaitLook();
  EXPECT_EQ(database_.term(), 1);
  EXPECT_FALSE(elector->standing().has_other);
  database_.GiveTo("b");
  database_.AwaitLook();
  const Standing standing = elector->standing();
  EXPECT_EQ(standing.term, 0);
  EXPECT_TRUE(standing.has_other);
  EXPECT_EQ(standing.Text(), "b:1 is active in term 2");
  EXPECT_EQ(database_.stopped(), std::vector<int64_t>{1});
}

TEST_F(ElectorTest, WithoutTheDatabaseTheOfficeEndsByItself) {
  const auto elector = Make("a", absl::Seconds(1));
  elector->Start();
  ASSERT_EQ(elector->AwaitFirst().term, 1);
  database_.set_down(true);
  EXPECT_EQ(AwaitTerm(*elector, false), 0);
  EXPECT_FALSE(elector->InOffice(1));
  EXPECT_FALSE(elector->standing().trouble.ok());
  // What acted does not end.
  AwaitOverrun();
}

TEST_F(ElectorTest, ItStandsAgainOnlyWhenItsLastOfficeHasEndedHere) {
  const auto elector = Make("a", absl::Seconds(1));
  elector->Start();
  ASSERT_EQ(elector->AwaitFirst().term, 1);
  database_.GiveTo("b");
  AwaitTerm(*elector, false);
  database_.Release(2);
  AwaitOverrun();
  EXPECT_EQ(elector->standing().term, 0);
  elector->NoteEnded(1);
  EXPECT_EQ(AwaitTerm(*elector, true), 3);
  EXPECT_TRUE(elector->InOffice(3));
  EXPECT_EQ(database_.stopped(), std::vector<int64_t>{1});
}

TEST_F(ElectorTest, AnswersAreAwaitedNoLongerThanTheFirstFailure) {
  database_.set_down(true);
  const auto elector = Make("a");
  elector->Start();
  const Standing standing = elector->AwaitFirst();
  EXPECT_EQ(standing.term, 0);
  EXPECT_EQ(standing.trouble.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(standing.Text(), "the database does not answer: the database is down");
}

}  // namespace
}  // namespace fairlead::election
