#include "controller/store/store_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_replace.h"

#include "base/file.h"
#include "base/testing/simulated_clock.h"
#include "controller/store/migrations.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/store_contract.h"
#include "controller/store/store_lock.h"
#include "controller/store/store_transfer.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::HasSubstr;

StoreDump SmallDump() {
  StoreDump dump;
  dump.schema = 3;
  dump.tables.push_back(
      {{"holds", {{"resource", SqlType::kText}, {"record", SqlType::kBytes}}},
       {{SqlValue::Text("a\nrow 1:b,"), SqlValue::Bytes(std::string("\0\xff,\n", 4))},
        {SqlValue::Text(""), SqlValue::Bytes("")}}});
  dump.tables.push_back({{"events", {{"id", SqlType::kInteger}}},
                         {{SqlValue::Integer(-5)}, {SqlValue::Integer(INT64_MAX)}}});
  return dump;
}

TEST(StoreDumpTest, ComesBackWholeFromItsText) {
  const auto again = DecodeDump(EncodeDump(SmallDump()));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->schema, 3);
  EXPECT_EQ(again->tables, SmallDump().tables);
  EXPECT_EQ(Fingerprint(*again), Fingerprint(SmallDump()));
}

TEST(StoreDumpTest, EveryChangedByteAndEveryMissingEndIsFound) {
  const std::string text = EncodeDump(SmallDump());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(DecodeDump(changed).ok()) << i;
    EXPECT_FALSE(DecodeDump(text.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeDump(text + "x").ok());
}

TEST(StoreDumpTest, DamageIsNamedByTableAndRecord) {
  const std::string text = absl::StrReplaceAll(EncodeDump(SmallDump()),
                                               {{"9223372036854775807", "9223372036854775806"}});
  const auto dump = DecodeDump(text);
  EXPECT_EQ(dump.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(dump.status().message(), HasSubstr("record 2 of table events"));
}

TEST(StoreDumpTest, DifferencesAreNamedWithoutValues) {
  StoreDump other = SmallDump();
  EXPECT_EQ(Difference(SmallDump(), other), "");
  other.tables[0].rows[1][1].bytes = "hush";
  EXPECT_EQ(Difference(SmallDump(), other), "record 2 of table holds differs");
  EXPECT_NE(Fingerprint(SmallDump()), Fingerprint(other));
  other.tables[0].rows.pop_back();
  EXPECT_EQ(Difference(SmallDump(), other), "table holds has 1 records instead of 2");
  EXPECT_EQ(Difference(other, SmallDump()), "table holds has 2 records instead of 1");
  other.tables.erase(other.tables.begin());
  EXPECT_EQ(Difference(SmallDump(), other), "table holds is missing");
  EXPECT_EQ(Difference(other, SmallDump()), "there are more tables with records");
}

class SqliteTransferTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> Open(const std::string& name) {
    auto store = SqliteStore::Open(folder_.File(name), clock_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  void Fill(const std::string& name) {
    ASSERT_TRUE(Open(name)
                    ->Apply({.put_settings = {{"hash-key", std::string("\0\xff'\n", 4)}},
                             .put_inventory = {Inventory("stack/a"), Inventory("stack/b")},
                             .put_history = {SpecOf("stack/a", "h1", 10)},
                             .put_runs = {RunOf("r", 3, v1::RUN_STATE_RUNNING)},
                             .append_events = {EventOf(7)}})
                    .ok());
  }
  StoreAddress At(const std::string& name) { return {.sqlite_path = folder_.File(name)}; }

  TemporaryFolder folder_;
  base::SimulatedClock clock_;
};

TEST_F(SqliteTransferTest, BackupOfAnOpenStoreIsRestoredIntoANewFile) {
  Fill("a.db");
  const auto open = Open("a.db");
  const auto saved = BackUpStore(At("a.db"), folder_.File("backup"));
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->records, 6u);
  const auto restored = RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(restored->fingerprint, saved->fingerprint);
  const auto image = Open("b.db")->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings.at("hash-key"), std::string("\0\xff'\n", 4));
  EXPECT_EQ(image->inventory.size(), 2u);
  EXPECT_EQ(image->runs.size(), 1u);
  EXPECT_EQ(image->last_event_id, 7u);
}

TEST_F(SqliteTransferTest, SessionsAreInNoBackupAndNoCopy) {
  Fill("a.db");
  const auto without = BackUpStore(At("a.db"), folder_.File("without"));
  ASSERT_TRUE(without.ok()) << without.status();
  ASSERT_TRUE(
      Open("a.db")->Apply({.put_users = {UserOf("ann")}, .put_sessions = {SessionOf("s")}}).ok());
  const auto saved = BackUpStore(At("a.db"), folder_.File("backup"));
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->records, without->records + 1);
  ASSERT_TRUE(RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now()).ok());
  const auto moved = MoveStore(At("a.db"), At("c.db"), TransferMode::kDo, clock_.Now());
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->fingerprint, saved->fingerprint);
  for (const char* copy : {"b.db", "c.db"}) {
    EXPECT_TRUE(Open(copy)->Load()->sessions.empty()) << copy;
    EXPECT_EQ(Open(copy)->Load()->users.size(), 1u) << copy;
  }
  EXPECT_EQ(Open("a.db")->Load()->sessions.size(), 1u);
}

TEST_F(SqliteTransferTest, NeitherABackupNorRecordsAreOverwritten) {
  Fill("a.db");
  ASSERT_TRUE(BackUpStore(At("a.db"), folder_.File("backup")).ok());
  EXPECT_EQ(BackUpStore(At("a.db"), folder_.File("backup")).status().code(),
            absl::StatusCode::kAlreadyExists);
  const absl::Status refused =
      RestoreStore(folder_.File("backup"), At("a.db"), clock_.Now()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("never overwritten"));
  EXPECT_EQ(Open("a.db")->Load()->inventory.size(), 2u);
}

TEST_F(SqliteTransferTest, DamagedBackupLeavesNothingBehind) {
  Fill("a.db");
  ASSERT_TRUE(BackUpStore(At("a.db"), folder_.File("backup")).ok());
  std::string text = *base::ReadFile(folder_.File("backup"));
  text.resize(text.size() / 2);
  std::ofstream(folder_.File("half")) << text;
  const absl::Status status = RestoreStore(folder_.File("half"), At("b.db"), clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db")));
}

TEST_F(SqliteTransferTest, BackupOfAnOlderSchemaIsBroughtToTheNewest) {
  {
    const auto connection = SqliteConnection::Open(folder_.File("old.db"), {});
    ASSERT_TRUE(ApplyMigrations(**connection, {Migrations()[0]}, absl::UnixEpoch()).ok());
    ASSERT_TRUE((*connection)->Execute("INSERT INTO holds VALUES ('stack/a', x'')").ok());
  }
  const auto saved = BackUpStore(At("old.db"), folder_.File("backup"));
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->schema, 1);
  const auto restored = RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ(Open("b.db")->Load()->holds.size(), 1u);
}

TEST_F(SqliteTransferTest, BackupOfANewerSchemaIsRefused) {
  StoreDump dump = SmallDump();
  dump.schema = 9999;
  std::ofstream(folder_.File("backup")) << EncodeDump(dump);
  const absl::Status status =
      RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("newer Fairlead"));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db")));
}

TEST_F(SqliteTransferTest, TablesThatTheSchemaDoesNotHaveAreRefused) {
  StoreDump dump;
  dump.schema = 3;
  dump.tables.push_back({{"intruders", {{"a", SqlType::kText}}}, {}});
  std::ofstream(folder_.File("backup")) << EncodeDump(dump);
  const absl::Status status =
      RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr("intruders"));
}

TEST_F(SqliteTransferTest, BackupThatHoldsASessionIsRefused) {
  StoreDump dump;
  dump.schema = 6;
  dump.tables.push_back(
      {{"access", {{"kind", SqlType::kText}, {"key", SqlType::kText}, {"record", SqlType::kBytes}}},
       {{SqlValue::Text("session"), SqlValue::Text("s"),
         SqlValue::Bytes(SessionOf("s").SerializeAsString())}}});
  std::ofstream(folder_.File("backup")) << EncodeDump(dump);
  const absl::Status status =
      RestoreStore(folder_.File("backup"), At("b.db"), clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db")));
}

TEST_F(SqliteTransferTest, MoveIsRehearsedRefusedWhileInUseAndThenDone) {
  Fill("a.db");
  const auto rehearsed = MoveStore(At("a.db"), At("b.db"), TransferMode::kRehearse, clock_.Now());
  ASSERT_TRUE(rehearsed.ok()) << rehearsed.status();
  EXPECT_EQ(rehearsed->records, 6u);
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db")));
  {
    const auto lock = base::FileLock::Acquire(folder_.File("lock"));
    ASSERT_TRUE(lock.ok());
    const absl::Status used =
        MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now()).status();
    EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition) << used;
    EXPECT_THAT(used.message(), HasSubstr("stop the controller"));
  }
  const auto moved = MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now());
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(Open("b.db")->Load()->inventory.size(), 2u);
  EXPECT_EQ(Open("a.db")->Load()->inventory.size(), 2u);
}

TEST_F(SqliteTransferTest, WhileAFileIsInUseItIsBackedUpButNeitherMovedNorRestoredInto) {
  Fill("a.db");
  ASSERT_TRUE(BackUpStore(At("a.db"), folder_.File("backup")).ok());
  {
    const auto used = LockStore(At("a.db"));
    ASSERT_TRUE(used.ok()) << used.status();
    for (const absl::Status& refused :
         {MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now()).status(),
          RestoreStore(folder_.File("backup"), At("a.db"), clock_.Now()).status()}) {
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
      EXPECT_THAT(refused.message(), HasSubstr("stop the controller first"));
      EXPECT_THAT(refused.message(), HasSubstr(folder_.File("a.db.lock")));
    }
    EXPECT_TRUE(BackUpStore(At("a.db"), folder_.File("another")).ok());
  }
  {
    const auto used = LockStore(At("b.db"));
    ASSERT_TRUE(used.ok()) << used.status();
    const absl::Status refused =
        MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now()).status();
    EXPECT_THAT(refused.message(), HasSubstr("stop the controller first"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db")));
  const auto moved = MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now());
  EXPECT_TRUE(moved.ok()) << moved.status();
}

TEST_F(SqliteTransferTest, OneFileHasOneLockWhicheverPathNamesIt) {
  std::filesystem::create_directory(folder_.File("there"));
  std::filesystem::create_directory_symlink("there", folder_.File("link"));
  std::filesystem::create_symlink("there/a.db", folder_.File("a.db"));
  const std::vector<std::string> names = {"there/a.db", "link/a.db", "there/../link/./a.db",
                                          "a.db"};
  // Before the file is made, and after that.
  for (int i = 0; i < 2; ++i) {
    for (const std::string& holder : names) {
      const auto used = LockStore(At(holder));
      ASSERT_TRUE(used.ok()) << holder << ": " << used.status();
      for (const std::string& name : names) {
        EXPECT_TRUE(absl::IsFailedPrecondition(LockStore(At(name)).status())) << name;
        EXPECT_TRUE(absl::IsFailedPrecondition(LockIdleStore(At(name)).status())) << name;
      }
      EXPECT_TRUE(LockStore(At("there/b.db")).ok());
    }
    if (i == 0) Fill("there/a.db");
  }
}

TEST_F(SqliteTransferTest, WhoCopiesMakesNoLockFile) {
  Fill("a.db");
  const auto moved = MoveStore(At("a.db"), At("b.db"), TransferMode::kDo, clock_.Now());
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_FALSE(std::filesystem::exists(folder_.File("a.db.lock")));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("b.db.lock")));
}

TEST_F(SqliteTransferTest, SourceThatIsNotThereIsNotMade) {
  const absl::Status status = BackUpStore(At("no.db"), folder_.File("backup")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("no.db"));
  EXPECT_FALSE(std::filesystem::exists(folder_.File("no.db")));
}

TEST_F(SqliteTransferTest, RehearsalOfMigrationsNamesThemAndKeepsNothing) {
  {
    const auto connection = SqliteConnection::Open(folder_.File("old.db"), {});
    ASSERT_TRUE(ApplyMigrations(**connection, {Migrations()[0]}, absl::UnixEpoch()).ok());
  }
  for (int i = 0; i < 2; ++i) {
    const auto text = RehearseMigrations(At("old.db"), clock_.Now());
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(*text, HasSubstr("has schema 1\nmigration 2 (history) can be applied"));
  }
}

}  // namespace
}  // namespace fairlead::store
