// Between the two kinds of database.
#include "controller/store/store_transfer.h"

#include "controller/store/sqlite_store.h"
#include "controller/store/store_contract.h"
#include "controller/store/store_dump.h"
#include "controller/store/testing/postgres_test.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::HasSubstr;

class StoreTransferTest : public PostgresTest {
 protected:
  StoreAddress File(const std::string& name) { return {.sqlite_path = folder_.File(name)}; }
  StoreAddress Database() { return {.postgres = AddressOf(cluster_->Socket(database_))}; }
  std::unique_ptr<Store> OpenAt(const StoreAddress& address) {
    auto store = OpenStore(address, clock_, base::Random::Real());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // Something in each table, and enough of it for the order to matter.
  static StoreBatch Everything() {
    StoreBatch batch;
    batch.put_settings = {{"hash-key", std::string("\0\xff'\n", 4)}, {"B", "b"}, {"a", "a"}};
    for (const char* const name : {"stack/\xc3\xa4", "stack/a", "stack/B", "it's \\ \"x\""}) {
      batch.put_inventory.push_back(Inventory(name));
      batch.put_failed_specs.push_back(Failed(name, "h"));
      batch.put_holds.push_back(HoldOf(name));
      batch.put_actions.push_back(ActionOf(name));
      batch.put_syncs.push_back(SyncOf(name));
      batch.put_origins.push_back(OriginOf(name));
      batch.put_approvals.push_back(ApprovalOf(name));
      batch.put_attempts.push_back(AttemptOf(name));
      batch.put_history.push_back(SpecOf(name, "h", -5));
      batch.put_runs.push_back(RunOf(name, 20, v1::RUN_STATE_FAILED));
      batch.put_join_tokens.push_back(JoinTokenOf(name));
      batch.put_agent_certificates.push_back(CertificateOf(name));
      batch.put_users.push_back(UserOf(name));
      batch.put_api_keys.push_back(KeyOf(name));
      batch.put_secrets.push_back(SecretOf(name, "ciphertext"));
      // Not copied.
      batch.put_sessions.push_back(SessionOf(name));
      batch.put_schedules.push_back(ScheduleOf(name, 3));
    }
    batch.put_builds.emplace_back().set_resource("build/api");
    batch.append_audit = {AuditOf(1, -5), AuditOf(2)};
    for (uint64_t id = 1; id <= 2000; ++id) batch.append_events.push_back(EventOf(id));
    return batch;
  }

  TemporaryFolder folder_;
};

TEST_F(StoreTransferTest, MovesEverythingFromSqliteToPostgresAndBack) {
  ASSERT_TRUE(OpenAt(File("a.db"))->Apply(Everything()).ok());
  const auto rehearsed = MoveStore(File("a.db"), Database(), TransferMode::kRehearse, clock_.Now());
  ASSERT_TRUE(rehearsed.ok()) << rehearsed.status();
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
            "0");
  const auto there = MoveStore(File("a.db"), Database(), TransferMode::kDo, clock_.Now());
  ASSERT_TRUE(there.ok()) << there.status();
  EXPECT_EQ(there->fingerprint, rehearsed->fingerprint);
  EXPECT_EQ(there->records, 3u + 16 * 4 + 1 + 2 + 2000);
  {
    // It is a store that can be written to, and then a source.
    const auto store = OpenAt(Database());
    EXPECT_EQ(Texts(store->Load()->inventory), Texts(OpenAt(File("a.db"))->Load()->inventory));
    EXPECT_TRUE(store->Load()->sessions.empty());
    EXPECT_TRUE(store->Apply({.append_events = {EventOf(2001)}}).ok());
    const absl::Status used =
        MoveStore(Database(), File("b.db"), TransferMode::kDo, clock_.Now()).status();
    EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition) << used;
    EXPECT_THAT(used.message(), HasSubstr("stop the controller"));
    EXPECT_TRUE(store->Apply({.put_settings = {{"a", "changed"}}}).ok());
  }
  cluster_->Sql(database_,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
                "application_name = 'fairlead-controller'");
  const auto back = MoveStore(Database(), File("b.db"), TransferMode::kDo, clock_.Now());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->records, there->records + 1);
  const auto image = OpenAt(File("b.db"))->Load();
  EXPECT_EQ(image->settings.at("a"), "changed");
  EXPECT_EQ(image->last_event_id, 2001u);
}

TEST_F(StoreTransferTest, BackupOfEitherIsRestoredIntoTheOther) {
  ASSERT_TRUE(OpenAt(Database())->Apply(Everything()).ok());
  const auto saved = BackUpStore(Database(), folder_.File("backup"));
  ASSERT_TRUE(saved.ok()) << saved.status();
  const auto restored = RestoreStore(folder_.File("backup"), File("a.db"), clock_.Now());
  ASSERT_TRUE(restored.ok()) << restored.status();
  const auto saved_again = BackUpStore(File("a.db"), folder_.File("again"));
  ASSERT_TRUE(saved_again.ok()) << saved_again.status();
  EXPECT_EQ(saved->fingerprint, saved_again->fingerprint);
  const StoreAddress other{.postgres = AddressOf(cluster_->Socket(cluster_->NewDatabase()))};
  ASSERT_TRUE(RestoreStore(folder_.File("again"), other, clock_.Now()).ok());
  EXPECT_EQ(Texts(OpenAt(other)->Load()->syncs), Texts(OpenAt(Database())->Load()->syncs));
}

TEST_F(StoreTransferTest, DatabaseWithRecordsIsNotOverwritten) {
  ASSERT_TRUE(OpenAt(File("a.db"))->Apply(Everything()).ok());
  ASSERT_TRUE(BackUpStore(File("a.db"), folder_.File("backup")).ok());
  OpenAt(Database())->Apply({.put_holds = {HoldOf("mine")}}).IgnoreError();
  cluster_->Sql(database_,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
                "application_name = 'fairlead-controller'");
  const absl::Status status =
      RestoreStore(folder_.File("backup"), Database(), clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(status.message(), HasSubstr("1 in holds"));
  EXPECT_EQ(OpenAt(Database())->Load()->holds.size(), 1u);
}

TEST_F(StoreTransferTest, WhatIsReadBackOtherwiseIsNotKept) {
  ASSERT_TRUE(OpenAt(File("a.db"))->Apply(Everything()).ok());
  // A server with a trigger of its own.
  cluster_->Sql(database_,
                "CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN IF "
                "to_regclass('holds') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_rules WHERE "
                "tablename = 'holds') THEN CREATE RULE lose AS ON INSERT TO holds WHERE "
                "NEW.resource = 'stack/a' DO INSTEAD NOTHING; END IF; END $f$;"
                "CREATE EVENT TRIGGER spoil ON ddl_command_end WHEN TAG IN ('CREATE TABLE') "
                "EXECUTE FUNCTION spoil()");
  const absl::Status status =
      MoveStore(File("a.db"), Database(), TransferMode::kDo, clock_.Now()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(), HasSubstr("table holds has 3 records instead of 4"));
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
            "0");
}

}  // namespace
}  // namespace fairlead::store
