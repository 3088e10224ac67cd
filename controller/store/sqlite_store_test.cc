#include "controller/store/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/testing/simulated_clock.h"
#include "controller/store/migrations.h"
#include "controller/store/store_contract.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<SqliteStore> OpenStore(const std::string& path, const SqliteOptions& options = {}) {
  base::SimulatedClock clock;
  auto store = SqliteStore::Open(path, clock, options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

absl::Status OpenStatus(const std::string& path) {
  base::SimulatedClock clock;
  return SqliteStore::Open(path, clock).status();
}

struct SqliteFactory {
  std::unique_ptr<Store> Make() { return OpenStore(folder.File("store.db")); }
  TemporaryFolder folder;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreContractTest, SqliteFactory);

class SqliteStoreTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string path_ = folder_.File("store.db");
};

TEST_F(SqliteStoreTest, KeepsEverythingAcrossAReopen) {
  ASSERT_TRUE(OpenStore(path_)
                  ->Apply({.put_settings = {{"installation", "x"}},
                           .put_inventory = {Inventory("stack/a")},
                           .append_events = {EventOf(3)}})
                  .ok());
  const auto image = OpenStore(path_)->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings.at("installation"), "x");
  EXPECT_EQ(Texts(image->inventory), Texts<v1::InventoryEntry>({Inventory("stack/a")}));
  EXPECT_EQ(image->last_event_id, 3u);
}

TEST_F(SqliteStoreTest, FileIsReadableByItsOwnerOnly) {
  const auto store = OpenStore(path_);
  for (const std::string& file : {path_, path_ + "-wal"}) {
    struct stat info{};
    ASSERT_EQ(stat(file.c_str(), &info), 0) << file;
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << file;
  }
}

TEST_F(SqliteStoreTest, UsesTheWriteAheadLogWithFullSynchronisation) {
  const auto connection = SqliteConnection::Open(path_, {});
  ASSERT_TRUE(connection.ok()) << connection.status();
  EXPECT_EQ(*(*connection)->QueryText("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(*(*connection)->QueryInteger("PRAGMA synchronous"), 2);
  EXPECT_EQ(*(*connection)->QueryInteger("PRAGMA foreign_keys"), 1);
}

TEST_F(SqliteStoreTest, MissingFolderIsNamed) {
  const absl::Status status = OpenStatus(folder_.File("no/store.db"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no/store.db"));
}

TEST_F(SqliteStoreTest, FileThatIsNoDatabaseIsDataLossWithAWayOut) {
  std::ofstream(path_) << std::string(8192, 'x');
  const absl::Status status = OpenStatus(path_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(), HasSubstr(path_));
  EXPECT_THAT(status.message(), HasSubstr("backup"));
}

TEST_F(SqliteStoreTest, DamagedPagesAreDataLossAtOpen) {
  {
    const auto store = OpenStore(path_);
    StoreBatch batch;
    for (int i = 0; i < 500; ++i) batch.put_inventory.push_back(Inventory(absl::StrCat("s/", i)));
    ASSERT_TRUE(store->Apply(batch).ok());
  }
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(60000, '\x5a');
  file.close();
  const absl::Status status = OpenStatus(path_);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(), HasSubstr("backup"));
}

TEST_F(SqliteStoreTest, RecordThatCannotBeReadIsDataLossNamingIt) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->Apply({.put_holds = {HoldOf("stack/a")}}).ok());
  const auto other = SqliteConnection::Open(path_, {});
  ASSERT_TRUE((*other)->Execute("UPDATE holds SET record = x'ffff'").ok());
  const auto image = store->Load();
  EXPECT_EQ(image.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(image.status().message(), HasSubstr("the record \"stack/a\" of table holds"));
}

TEST_F(SqliteStoreTest, TimeThatIsNotTheAuditRecordsOwnIsDataLossWhereItIsChecked) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->Apply({.append_audit = {AuditOf(1, -10), AuditOf(2, 20)}}).ok());
  EXPECT_EQ(store->ListAudit({.check_times = true})->size(), 2u);
  const auto other = SqliteConnection::Open(path_, {});
  ASSERT_TRUE((*other)->Execute("UPDATE audit SET at = 5 WHERE id = 2").ok());
  const absl::Status found = store->ListAudit({.check_times = true}).status();
  EXPECT_EQ(found.code(), absl::StatusCode::kDataLoss) << found;
  EXPECT_THAT(found.message(), HasSubstr("audit record 2 was changed"));
  EXPECT_EQ(store->ListAudit({})->size(), 2u);
}

TEST_F(SqliteStoreTest, AnotherConnectionOfThisProcessLeavesTheLockOnTheFile) {
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->Apply({.put_holds = {HoldOf("a")}}).ok());
  ASSERT_TRUE(SqliteConnection::Open(path_, {}).ok());
  // As another process asks that would remove the log. To close it is to end the lock.
  const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  EXPECT_EQ(fcntl(fd, F_OFD_GETLK, &lock), 0);
  EXPECT_NE(lock.l_type, F_UNLCK);
  close(fd);
}

TEST_F(SqliteStoreTest, BusyDatabaseIsUnavailableAndWorksLater) {
  const auto store = OpenStore(path_, {.busy_timeout = absl::Milliseconds(5)});
  const auto other = SqliteConnection::Open(path_, {});
  ASSERT_TRUE((*other)->Begin().ok());
  const absl::Status status = store->Apply({.put_holds = {HoldOf("a")}});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  (*other)->Rollback();
  EXPECT_TRUE(store->Apply({.put_holds = {HoldOf("a")}}).ok());
}

TEST_F(SqliteStoreTest, FirstAppendAfterAReopenTrims) {
  {
    const auto connection = SqliteConnection::Open(path_, {});
    ASSERT_TRUE(ApplyMigrations(**connection, Migrations(), absl::UnixEpoch()).ok());
    ASSERT_TRUE((*connection)
                    ->Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                              "WHERE i < 12000) INSERT INTO events SELECT i, '', x'' FROM n")
                    .ok());
  }
  const auto store = OpenStore(path_);
  ASSERT_TRUE(store->Apply({.append_events = {EventOf(12001)}}).ok());
  EXPECT_EQ(store->ListEvents({.resource = "", .limit = 20000})->size(), kEventsKept);
}

class MigrationTest : public SqliteStoreTest {
 protected:
  std::unique_ptr<SqliteConnection> connection_ = *SqliteConnection::Open(path_, {});
  std::vector<Migration> steps_ = {
      {.version = 1, .name = "one", .sql = "CREATE TABLE a (x); INSERT INTO a VALUES (1);"},
      {.version = 2, .name = "two", .sql = "ALTER TABLE a ADD COLUMN y DEFAULT 5;"}};
};

TEST_F(MigrationTest, EmptyDatabaseGetsEveryStepOnce) {
  ASSERT_TRUE(ApplyMigrations(*connection_, steps_, absl::UnixEpoch()).ok());
  ASSERT_TRUE(ApplyMigrations(*connection_, steps_, absl::UnixEpoch()).ok());
  EXPECT_EQ(*connection_->QueryInteger("SELECT sum(y) FROM a"), 5);
  EXPECT_EQ(*connection_->QueryInteger("SELECT count(*) FROM migrations"), 2);
  EXPECT_EQ(*connection_->QueryText("SELECT applied_at FROM migrations"),
            "1970-01-01T00:00:00+00:00");
}

TEST_F(MigrationTest, OlderDatabaseKeepsItsRecords) {
  ASSERT_TRUE(ApplyMigrations(*connection_, {steps_[0]}, absl::UnixEpoch()).ok());
  ASSERT_TRUE(connection_->Execute("INSERT INTO a VALUES (7)").ok());
  ASSERT_TRUE(ApplyMigrations(*connection_, steps_, absl::UnixEpoch()).ok());
  EXPECT_EQ(*connection_->QueryInteger("SELECT sum(x * y) FROM a"), 40);
}

TEST_F(MigrationTest, FailedStepLeavesThePreviousVersion) {
  ASSERT_TRUE(ApplyMigrations(*connection_, {steps_[0]}, absl::UnixEpoch()).ok());
  steps_[1].sql = "INSERT INTO a VALUES (2); SELECT no_such_function();";
  const absl::Status status = ApplyMigrations(*connection_, steps_, absl::UnixEpoch());
  EXPECT_THAT(status.message(), HasSubstr("migration 2 (two)"));
  EXPECT_EQ(*connection_->QueryInteger("SELECT count(*) FROM a"), 1);
  EXPECT_EQ(*connection_->QueryInteger("SELECT max(version) FROM migrations"), 1);
}

TEST_F(MigrationTest, StepsThatComeTogetherHappenTogether) {
  steps_[1].sql = "SELECT no_such_function();";
  EXPECT_FALSE(ApplyMigrations(*connection_, steps_, absl::UnixEpoch()).ok());
  EXPECT_EQ(*connection_->QueryInteger("SELECT count(*) FROM sqlite_master"), 0);
}

TEST_F(MigrationTest, ProgramThatDiesInTheMiddleLeavesThePreviousVersion) {
  ASSERT_TRUE(ApplyMigrations(*connection_, {steps_[0]}, absl::UnixEpoch()).ok());
  connection_.reset();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto other = SqliteConnection::Open(path_, {});
    const bool half = other.ok() && (*other)->Begin().ok() &&
                      (*other)->Execute(steps_[1].sql).ok() &&
                      (*other)->Execute("INSERT INTO a VALUES (2, 2)").ok();
    _exit(half ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  connection_ = *SqliteConnection::Open(path_, {});
  EXPECT_EQ(*SchemaVersion(*connection_), 1);
  EXPECT_EQ(*connection_->QueryInteger("SELECT count(*) FROM a"), 1);
  EXPECT_TRUE(ApplyMigrations(*connection_, steps_, absl::UnixEpoch()).ok());
}

TEST_F(MigrationTest, NewerSchemaIsRefusedWithBothVersionsAndAWayOut) {
  ASSERT_TRUE(ApplyMigrations(*connection_, Migrations(), absl::UnixEpoch()).ok());
  ASSERT_TRUE(connection_->Execute("INSERT INTO migrations VALUES (9999, 'future', '')").ok());
  const absl::Status status = OpenStatus(path_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("schema is 9999"));
  EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("up to ", Migrations().back().version)));
  EXPECT_THAT(status.message(), HasSubstr("backup"));
}

TEST_F(MigrationTest, DatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  ASSERT_TRUE(connection_->Execute("CREATE TABLE theirs (x)").ok());
  const absl::Status status = OpenStatus(path_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("another program"));
  EXPECT_EQ(*connection_->QueryInteger("SELECT count(*) FROM sqlite_master"), 1);
}

TEST_F(MigrationTest, VersionsCountFromOneWithoutHoles) {
  int expected = 1;
  for (const Migration& migration : Migrations()) EXPECT_EQ(migration.version, expected++);
}

}  // namespace
}  // namespace fairlead::store
