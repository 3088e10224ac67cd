#include "controller/access/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/testing/simulated_clock.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/testing/fake_store.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::access {
namespace {

using ::testing::HasSubstr;

v1::AuditRecord RecordOf(const std::string& method) {
  v1::AuditRecord record;
  record.set_caller("user/ann");
  record.set_method(method);
  record.set_outcome(v1::AUDIT_OUTCOME_DONE);
  return record;
}

class AuditLogTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open() {
    const auto image = store_.Load();
    auto log = AuditLog::Load(image->settings, store_, clock_, absl::Hours(24 * 30));
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      const absl::Status status = log_->Append({RecordOf(absl::StrCat("m", i))});
      ASSERT_TRUE(status.ok()) << status;
      clock_.Advance(absl::Minutes(1));
    }
  }
  std::vector<v1::AuditRecord> Records() { return *store_.ListAudit({}); }
  // Puts these records in place of what is stored, as somebody with the database could.
  void Replace(const std::vector<v1::AuditRecord>& records) {
    ASSERT_TRUE(store_.Apply({.trim_audit_through = 1'000'000}).ok());
    ASSERT_TRUE(store_.Apply({.append_audit = records}).ok());
  }
  AuditReport Verified() {
    const auto report = log_->Verify();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(AuditReport{});
  }

  store::FakeStore store_;
  base::SimulatedClock clock_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, UntouchedChainIsWhole) {
  EXPECT_TRUE(Verified().chain.ok());
  Append(3);
  ASSERT_TRUE(log_->Append({RecordOf("a"), RecordOf("b")}).ok());
  const AuditReport report = Verified();
  EXPECT_TRUE(report.chain.ok()) << report.chain;
  EXPECT_EQ(report.records, 5u);
  EXPECT_EQ(report.first_id, 1u);
  EXPECT_EQ(report.head.id, 5u);
  EXPECT_EQ(report.head.hash, Records().back().hash());
}

TEST_F(AuditLogTest, ChainGoesOnAfterARestart) {
  Append(2);
  Open();
  Append(2);
  EXPECT_TRUE(Verified().chain.ok());
  EXPECT_EQ(Verified().records, 4u);
}

TEST_F(AuditLogTest, EveryFlippedBitIsFoundAndNamed) {
  Append(3);
  const std::vector<v1::AuditRecord> good = Records();
  const std::string bytes = good[1].SerializeAsString();
  int parsed = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    v1::AuditRecord record;
    if (!record.ParseFromString(changed)) continue;
    ++parsed;
    AuditChain chain(AuditPlace{});
    absl::Status status = chain.Add(good[0]);
    if (status.ok()) status = chain.Add(record);
    if (status.ok()) status = chain.Add(good[2]);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << i;
    EXPECT_THAT(status.message(), HasSubstr("audit record 2")) << i;
  }
  EXPECT_GT(parsed, 50);
}

TEST_F(AuditLogTest, RewrittenRecordWithAFittingHashBreaksTheNextOne) {
  Append(4);
  std::vector<v1::AuditRecord> records = Records();
  records[1].set_caller("user/bob");
  records[1].set_hash(HashOf(records[1]));
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("audit record 3 does not follow"));
}

TEST_F(AuditLogTest, MissingRecordIsNamed) {
  Append(4);
  std::vector<v1::AuditRecord> records = Records();
  records.erase(records.begin() + 1);
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("audit record 2 is missing"));
}

TEST_F(AuditLogTest, MissingEndIsNamed) {
  Append(4);
  std::vector<v1::AuditRecord> records = Records();
  records.pop_back();
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("audit record 4 and all after it are missing"));
}

TEST_F(AuditLogTest, MissingBeginningIsNamed) {
  Append(4);
  std::vector<v1::AuditRecord> records = Records();
  records.erase(records.begin());
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("audit record 1 is missing"));
}

TEST_F(AuditLogTest, ExchangedRecordsAreNamed) {
  Append(4);
  std::vector<v1::AuditRecord> records = Records();
  std::swap(records[1], records[2]);
  records[1].set_id(2);
  records[2].set_id(3);
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("audit record 2 was changed"));
}

TEST_F(AuditLogTest, ChainRewrittenToItsEndDoesNotEndAsWritten) {
  Append(3);
  std::vector<v1::AuditRecord> records = Records();
  std::string previous;
  for (v1::AuditRecord& record : records) {
    record.set_caller("user/bob");
    record.set_previous_hash(previous);
    record.set_hash(HashOf(record));
    previous = record.hash();
  }
  Replace(records);
  EXPECT_THAT(Verified().chain.message(), HasSubstr("is not the one that was written last"));
}

class AuditInFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = store::SqliteStore::Open(path_, clock_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto log = AuditLog::Load({}, *store_, clock_, absl::Hours(24));
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    for (const char* method : {"a", "b", "c", "d"}) {
      ASSERT_TRUE(log_->Append({RecordOf(method)}).ok());
    }
  }
  void Change(const std::string& sql) {
    const auto other = store::SqliteConnection::Open(path_, {});
    ASSERT_TRUE(other.ok()) << other.status();
    const absl::Status status = (*other)->Execute(sql);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Problem() {
    const auto report = log_->Verify();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? std::string(report->chain.message()) : "";
  }

  const store::TemporaryFolder folder_;
  const std::string path_ = folder_.File("store.db");
  base::SimulatedClock clock_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditInFileTest, TimeChangedBesideARecordIsFoundAndTheFirstChangeIsNamed) {
  EXPECT_EQ(Problem(), "");
  Change("UPDATE audit SET at = 5 WHERE id = 3");
  EXPECT_THAT(Problem(), HasSubstr("audit record 3 was changed: the time"));
  clock_.Advance(absl::Hours(2));
  EXPECT_TRUE(log_->Append({RecordOf("e")}).ok()) << "it keeps nobody from writing";
  Change("UPDATE audit SET record = (SELECT record FROM audit WHERE id = 1) WHERE id = 2");
  EXPECT_THAT(Problem(), HasSubstr("audit record 2 is missing"));
}

TEST_F(AuditInFileTest, RecordThatCannotBeReadIsNamedWithItsTable) {
  Change("UPDATE audit SET record = x'ffff' WHERE id = 2");
  EXPECT_THAT(Problem(), HasSubstr("the record \"2\" of table audit cannot be read"));
}

TEST_F(AuditLogTest, OldRecordsGoAndTheRestIsStillAChain) {
  Append(5);
  clock_.Advance(absl::Hours(24 * 20));
  Append(2);
  clock_.Advance(absl::Hours(24 * 15));
  Append(1);
  AuditReport report = Verified();
  EXPECT_TRUE(report.chain.ok()) << report.chain;
  EXPECT_EQ(report.first_id, 6u);
  EXPECT_EQ(report.records, 3u);
  Open();
  report = Verified();
  EXPECT_TRUE(report.chain.ok()) << report.chain;
  EXPECT_EQ(report.records, 3u);
}

TEST_F(AuditLogTest, WhatAStoreThatIsAwayDidNotTakeGoesWithTheNextOnes) {
  Append(1);
  store_.apply_fails = true;
  const absl::Time then = clock_.Now();
  EXPECT_FALSE(log_->Append({RecordOf("late")}).ok());
  clock_.Advance(absl::Minutes(5));
  EXPECT_FALSE(log_->Append({RecordOf("later")}).ok());
  store_.apply_fails = false;
  Append(1);
  EXPECT_TRUE(Verified().chain.ok());
  const std::vector<v1::AuditRecord> records = Records();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[1].method(), "late");
  EXPECT_EQ(base::FromProto(records[1].at()), then);
  EXPECT_EQ(records[2].method(), "later");
}

TEST_F(AuditLogTest, WhatIsLateIsDueEveryFiveSecondsUntilItIsStored) {
  Append(1);
  EXPECT_FALSE(log_->IsFlushDue());
  store_.apply_fails = true;
  const absl::Time then = clock_.Now();
  EXPECT_FALSE(log_->Append({RecordOf("late")}).ok());
  EXPECT_FALSE(log_->IsFlushDue());
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(log_->IsFlushDue());
  EXPECT_TRUE(absl::IsResourceExhausted(log_->Flush()));
  EXPECT_FALSE(log_->IsFlushDue());
  // Whatever the wall time is set to.
  clock_.Jump(-absl::Hours(1));
  clock_.Advance(absl::Seconds(5));
  EXPECT_TRUE(log_->IsFlushDue());
  store_.apply_fails = false;
  EXPECT_TRUE(log_->Flush().ok());
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(log_->IsFlushDue());
  const std::vector<v1::AuditRecord> records = Records();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].method(), "late");
  EXPECT_EQ(base::FromProto(records[1].at()), then);
  EXPECT_TRUE(Verified().chain.ok());
}

TEST_F(AuditLogTest, FlushWritesNothingWhenNothingIsLate) {
  Append(1);
  const uint64_t applied = store_.applied;
  EXPECT_TRUE(log_->Flush().ok());
  EXPECT_EQ(store_.applied, applied);
}

TEST_F(AuditLogTest, AppendThatCameAboutAfterAllIsContinuedFrom) {
  Append(1);
  // Another log writes what this one does not know of.
  std::unique_ptr<AuditLog> stale = std::move(log_);
  Open();
  Append(1);
  ASSERT_TRUE(stale->Append({RecordOf("third")}).ok());
  Open();
  EXPECT_TRUE(Verified().chain.ok());
  EXPECT_EQ(Verified().records, 3u);
}

TEST(AuditPlaceTest, ComesBackFromItsText) {
  const AuditPlace place{7, std::string(32, '\xfe')};
  EXPECT_EQ(*AuditPlace::Parse(place.Text()), place);
  EXPECT_EQ(*AuditPlace::Parse(""), AuditPlace());
  EXPECT_FALSE(AuditPlace::Parse("7").ok());
  EXPECT_FALSE(AuditPlace::Parse("7 ab").ok());
}

}  // namespace
}  // namespace fairlead::access
