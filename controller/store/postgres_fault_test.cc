// What survives a crash of the server, a lost connection and a full disk.
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "controller/store/store_contract.h"
#include "controller/store/testing/cutting_proxy.h"
#include "controller/store/testing/postgres_test.h"

namespace fairlead::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Two records, so that half a batch can be told from a whole one.
StoreBatch NumberedBatch(uint64_t number) {
  const std::string key = absl::StrCat("stack/", number);
  return {.put_inventory = {Inventory(key)},
          .put_holds = {HoldOf(key)},
          .append_events = {EventOf(number)}};
}

class PostgresFaultTest : public PostgresTest {
 protected:
  void TearDown() override {
    // For the tests after this one.
    if (cluster_ != nullptr) {
      cluster_->Stop();
      ASSERT_TRUE(cluster_->Start()) << cluster_->LogTail();
    }
  }
};

TEST_F(PostgresFaultTest, ServerThatCrashesDuringBatchesLosesNothingAcknowledgedAndHalvesNone) {
  const auto store = Open(cluster_->Socket(database_));
  std::atomic<uint64_t> acknowledged = 0;
  std::atomic<bool> failed = false;
  absl::Status failure;
  std::thread writer([&] {
    for (uint64_t number = 1; !failed; ++number) {
      failure = store->Apply(NumberedBatch(number));
      if (failure.ok()) {
        acknowledged = number;
        acknowledged.notify_all();
      } else {
        failed = true;
      }
    }
  });
  for (uint64_t seen = 0; seen < 40; seen = acknowledged) acknowledged.wait(seen);
  cluster_->Crash();
  writer.join();
  EXPECT_EQ(failure.code(), absl::StatusCode::kUnavailable) << failure;
  EXPECT_THAT(failure.message(), AllOf(HasSubstr(database_), Not(HasSubstr("word"))));

  ASSERT_TRUE(cluster_->Start()) << cluster_->LogTail();
  // The batch in doubt is given again, as the loop does: it comes about once, whatever it was.
  clock_.Advance(absl::Minutes(1));
  const absl::Status again = store->Apply(NumberedBatch(acknowledged + 1));
  EXPECT_TRUE(again.ok()) << again;
  const auto image = store->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->last_event_id, acknowledged + 1);
  EXPECT_EQ(image->inventory.size(), acknowledged + 1);
  EXPECT_EQ(image->holds.size(), acknowledged + 1);
}

TEST_F(PostgresFaultTest, RestartBetweenBatchesIsNotNoticed) {
  const auto store = Open(cluster_->Socket(database_));
  ASSERT_TRUE(store->Apply(NumberedBatch(1)).ok());
  EXPECT_TRUE(store->Load().ok());
  cluster_->Stop();
  ASSERT_TRUE(cluster_->Start()) << cluster_->LogTail();
  EXPECT_EQ(store->Load()->last_event_id, 1u);
  const absl::Status status = store->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(store->Load()->last_event_id, 2u);
}

TEST_F(PostgresFaultTest, SessionEndedByTheServerIsNotNoticed) {
  const auto store = Open(cluster_->Socket(database_));
  EXPECT_TRUE(store->Load().ok());
  for (uint64_t number = 1; number <= 3; ++number) {
    cluster_->Sql("postgres", absl::StrCat("SELECT pg_terminate_backend(pid, 5000) FROM "
                                           "pg_stat_activity WHERE datname = '",
                                           database_, "'"));
    const absl::Status status = store->Apply(NumberedBatch(number));
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(store->Load()->last_event_id, number);
  }
}

TEST_F(PostgresFaultTest, WhileTheServerIsAwayCallsFailAtOnceAndTheNextAttemptWaits) {
  const auto store = Open(cluster_->Socket(database_));
  cluster_->Stop();
  EXPECT_EQ(store->Apply(NumberedBatch(1)).code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(cluster_->Start());
  // By its clock no time has passed, so it does not ask.
  EXPECT_EQ(store->Apply(NumberedBatch(1)).code(), absl::StatusCode::kUnavailable);
  clock_.Advance(absl::Seconds(1));
  const absl::Status status = store->Apply(NumberedBatch(1));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(PostgresFaultTest, ServerGoneAtStartIsUnavailableNamingIt) {
  cluster_->Stop();
  for (const std::string& url : {cluster_->Socket(database_), cluster_->Loopback(database_)}) {
    const absl::Status status = OpenStatus(url);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr(absl::StrCat("database \"", database_, "\" at ")),
                      HasSubstr(absl::StrCat(cluster_->port())), Not(HasSubstr("pass"))));
  }
}

class CutTest : public PostgresFaultTest {
 protected:
  void SetUp() override {
    PostgresFaultTest::SetUp();
    if (cluster_ == nullptr) return;
    proxy_ = std::make_unique<CuttingProxy>(cluster_->port());
    PostgresAddress address = AddressOf(cluster_->Loopback(database_, "sslmode=disable"));
    address.parameters["port"] = absl::StrCat(proxy_->port());
    auto store = PostgresStore::Open(address, clock_, base::Random::Real());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(store_->Apply(NumberedBatch(1)).ok());
  }
  void TearDown() override {
    store_.reset();
    proxy_.reset();
  }
  // Each of the first so many batches came about once.
  void ExpectBatches(uint64_t batches, uint64_t of_others = 0) {
    const auto image = store_->Load();
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->last_event_id, batches);
    EXPECT_EQ(image->inventory.size(), batches);
    EXPECT_EQ(cluster_->Sql(database_, "SELECT batch FROM store_writer"),
              absl::StrCat(batches + of_others));
  }

  std::unique_ptr<CuttingProxy> proxy_;
  std::unique_ptr<PostgresStore> store_;
};

TEST_F(CutTest, CommitWhoseAnswerIsLostIsFoundAndNotDoneTwice) {
  proxy_->Arm(Cut::kAfterServer, "COMMIT");
  const absl::Status status = store_->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(proxy_->cuts(), 1);
  ExpectBatches(2);
  EXPECT_TRUE(store_->Apply(NumberedBatch(3)).ok());
  ExpectBatches(3);
}

TEST_F(CutTest, CommitThatNeverArrivedIsSentAgain) {
  proxy_->Arm(Cut::kBeforeServer, "COMMIT");
  const absl::Status status = store_->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(proxy_->cuts(), 1);
  ExpectBatches(2);
}

TEST_F(CutTest, BatchThatArrivesAfterItsRepetitionFails) {
  proxy_->Arm(Cut::kHold, "COMMIT");
  const absl::Status status = store_->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(store_->Apply({.put_holds = {HoldOf("stack/2", "newer")}}).ok());
  EXPECT_EQ(proxy_->cuts(), 1);
  // Refused for its epoch, before anything else of it.
  EXPECT_THAT(proxy_->Release(), HasSubstr("null value in column \"epoch\""));
  EXPECT_EQ(store_->Load()->holds.back().why(), "newer");
  EXPECT_EQ(store_->Load()->last_event_id, 2u);
}

TEST_F(CutTest, DoubtOutlivesAServerThatIsAwayForAWhile) {
  proxy_->Arm(Cut::kAfterServer, "COMMIT");
  // The connection there is stays, but none can be made that would ask.
  cluster_->Sql("postgres", absl::StrCat("ALTER DATABASE ", database_, " ALLOW_CONNECTIONS false"));
  absl::Status status = store_->Apply(NumberedBatch(2));
  EXPECT_FALSE(status.ok());
  cluster_->Sql("postgres", absl::StrCat("ALTER DATABASE ", database_, " ALLOW_CONNECTIONS true"));
  clock_.Advance(absl::Minutes(1));
  status = store_->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  ExpectBatches(2);
}

TEST_F(CutTest, DoubtOutlivesTheBatchOfAnotherWriter) {
  proxy_->Arm(Cut::kAfterServer, "COMMIT");
  cluster_->Sql("postgres", absl::StrCat("ALTER DATABASE ", database_, " ALLOW_CONNECTIONS false"));
  EXPECT_FALSE(store_->Apply(NumberedBatch(2)).ok());
  cluster_->Sql("postgres", absl::StrCat("ALTER DATABASE ", database_, " ALLOW_CONNECTIONS true"));
  clock_.Advance(absl::Minutes(1));
  // Such as the audit log's, before the loop gives its own again.
  absl::Status status = store_->Apply({.append_audit = {AuditOf(1)}});
  EXPECT_TRUE(status.ok()) << status;
  status = store_->Apply(NumberedBatch(2));
  EXPECT_TRUE(status.ok()) << status;
  ExpectBatches(2, /*of_others=*/1);
}

TEST_F(PostgresFaultTest, FullDiskIsResourceExhaustedAndSpaceHelps) {
  const std::string disk = cluster_->MakeFolder("small");
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16m") != 0) {
    GTEST_SKIP() << "SKIPPED: mounting a small tmpfs needs root: " << std::strerror(errno);
  }
  cluster_->GiveToServer(disk);
  cluster_->Sql("postgres", absl::StrCat("CREATE TABLESPACE small LOCATION '", disk, "'"));
  const std::string database = cluster_->NewDatabase("TABLESPACE small");
  {
    const auto store = Open(cluster_->Socket(database));
    absl::Status failure;
    std::size_t applied = 0;
    for (; failure.ok() && applied < 5000; ++applied) {
      v1::InventoryEntry entry = Inventory(absl::StrCat("stack/", applied));
      // What cannot be compressed.
      for (int i = 0; i < 2000; ++i) {
        absl::StrAppend(entry.mutable_name(), base::NewId(base::Random::Real()));
      }
      failure = store->Apply({.put_inventory = {entry}, .put_holds = {HoldOf(entry.resource())}});
    }
    EXPECT_EQ(failure.code(), absl::StatusCode::kResourceExhausted) << failure;
    EXPECT_THAT(failure.message(), HasSubstr("disk full"));
    const auto image = store->Load();
    EXPECT_EQ(image->inventory.size(), applied - 1);
    EXPECT_EQ(image->holds.size(), applied - 1);
    EXPECT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    const absl::Status status = store->Apply(NumberedBatch(100'000));
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(store->Load()->inventory.size(), applied);
  }
  cluster_->Sql("postgres", absl::StrCat("DROP DATABASE ", database, " WITH (FORCE)"));
  cluster_->Sql("postgres", "DROP TABLESPACE small");
  umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace fairlead::store
