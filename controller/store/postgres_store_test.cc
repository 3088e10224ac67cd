#include "controller/store/postgres_store.h"

#include <fstream>

#include "controller/store/migrations.h"
#include "controller/store/sqlite_connection.h"
#include "controller/store/store_contract.h"
#include "controller/store/testing/postgres_test.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct PostgresFactory {
  std::unique_ptr<Store> Make() {
    std::string why;
    PostgresCluster* const cluster = PostgresCluster::Shared(why);
    if (cluster == nullptr) return nullptr;
    auto store = PostgresStore::Open(AddressOf(cluster->Socket(cluster->NewDatabase())), clock,
                                     base::Random::Real());
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  base::SimulatedClock clock;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, StoreContractTest, PostgresFactory);

class PostgresStoreTest : public PostgresTest {};

TEST_F(PostgresStoreTest, KeepsEverythingAcrossAReopen) {
  ASSERT_TRUE(Open(cluster_->Socket(database_))
                  ->Apply({.put_settings = {{"installation", "x"}},
                           .put_inventory = {Inventory("stack/a")},
                           .append_events = {EventOf(3)}})
                  .ok());
  const auto image = Open(cluster_->Socket(database_))->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings.at("installation"), "x");
  EXPECT_EQ(Texts(image->inventory), Texts<v1::InventoryEntry>({Inventory("stack/a")}));
  EXPECT_EQ(image->last_event_id, 3u);
}

TEST_F(PostgresStoreTest, TablesAreThoseOfSqlite) {
  TemporaryFolder folder;
  const auto sqlite = *SqliteConnection::Open(folder.File("store.db"), {});
  ASSERT_TRUE(ApplyMigrations(*sqlite, Migrations(), absl::UnixEpoch()).ok());
  Open(cluster_->Socket(database_));
  const auto connection = Connect(cluster_->Socket(database_));
  const auto expected = sqlite->Tables();
  const auto found = connection->Tables();
  ASSERT_TRUE(expected.ok() && found.ok()) << found.status();
  EXPECT_TRUE(*expected == *found);
  EXPECT_EQ(found->size(), expected->size());
}

TEST_F(PostgresStoreTest, EveryCommitWaitsForTheDiskEvenIfTheServerDoesNot) {
  cluster_->Sql(database_,
                absl::StrCat("ALTER DATABASE ", database_, " SET synchronous_commit = off"));
  const auto connection = Connect(cluster_->Socket(database_));
  EXPECT_EQ(*connection->QueryText("SELECT current_setting('synchronous_commit')"), "on");
}

TEST_F(PostgresStoreTest, NamesAreOrderedByTheirBytes) {
  const auto store = Open(cluster_->Socket(database_));
  ASSERT_TRUE(store->Apply({.put_holds = {HoldOf("a"), HoldOf("B"), HoldOf("\xc3\xa4")}}).ok());
  EXPECT_EQ(Texts(store->Load()->holds),
            Texts<v1::Hold>({HoldOf("B"), HoldOf("a"), HoldOf("\xc3\xa4")}));
}

TEST_F(PostgresStoreTest, TextThatCannotBeStoredIsRefusedAndTheStoreUsable) {
  const auto store = Open(cluster_->Socket(database_));
  for (const std::string& name : {std::string("a\0b", 3), std::string("a\xff")}) {
    const absl::Status status = store->Apply({.put_settings = {{"k", "v"}, {name, "v"}}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_TRUE(store->Load()->settings.empty());
  EXPECT_TRUE(store->Apply({.put_settings = {{"it's \\ \"k\"; --", "v"}}}).ok());
  EXPECT_EQ(store->Load()->settings.begin()->first, "it's \\ \"k\"; --");
}

TEST_F(PostgresStoreTest, RecordThatCannotBeReadIsDataLossNamingIt) {
  const auto store = Open(cluster_->Socket(database_));
  ASSERT_TRUE(store->Apply({.put_holds = {HoldOf("stack/a")}}).ok());
  cluster_->Sql(database_, "UPDATE holds SET record = '\\xffff'");
  const auto image = store->Load();
  EXPECT_EQ(image.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(image.status().message(), HasSubstr("stack/a"));
}

TEST_F(PostgresStoreTest, ReadsDoNotWaitForAWriteInProgress) {
  const auto store = Open(cluster_->Socket(database_));
  ASSERT_TRUE(store->Apply({.put_holds = {HoldOf("a", "old")}}).ok());
  const auto other = Connect(cluster_->Socket(database_));
  ASSERT_TRUE(other->Execute("BEGIN; UPDATE store_writer SET batch = batch").ok());
  std::thread write(
      [&store] { EXPECT_TRUE(store->Apply({.put_holds = {HoldOf("a", "new")}}).ok()); });
  EXPECT_EQ(Texts(store->Load()->holds), Texts<v1::Hold>({HoldOf("a", "old")}));
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  write.join();
  EXPECT_EQ(Texts(store->Load()->holds), Texts<v1::Hold>({HoldOf("a", "new")}));
}

TEST_F(PostgresStoreTest, EarlierControllerMayNotWriteAfterAnotherHasTakenOver) {
  const auto earlier = Open(cluster_->Socket(database_));
  ASSERT_TRUE(earlier->Apply({.put_holds = {HoldOf("a", "earlier")}}).ok());
  const auto later = Open(cluster_->Socket(database_));
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = earlier->Apply({.put_holds = {HoldOf("a", "too late")}});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(status.message(), HasSubstr("another controller"));
  }
  EXPECT_TRUE(later->Apply({.put_holds = {HoldOf("b")}}).ok());
  EXPECT_EQ(Texts(later->Load()->holds), Texts<v1::Hold>({HoldOf("a", "earlier"), HoldOf("b")}));
}

TEST_F(PostgresStoreTest, NewerSchemaIsRefusedWithBothVersionsAndAWayOut) {
  Open(cluster_->Socket(database_));
  cluster_->Sql(database_, "INSERT INTO migrations VALUES (9999, 'future', '')");
  const absl::Status status = OpenStatus(cluster_->Socket(database_));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("schema is 9999"), HasSubstr("backup"),
                    HasSubstr(absl::StrCat("up to ", Migrations().back().version))));
}

TEST_F(PostgresStoreTest, DatabaseOfAnotherProgramIsRefusedAndLeftAlone) {
  cluster_->Sql(database_, "CREATE TABLE theirs (x int)");
  const absl::Status status = OpenStatus(cluster_->Socket(database_));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("another program"));
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
            "1");
}

TEST_F(PostgresStoreTest, FailedMigrationLeavesThePreviousVersion) {
  const auto connection = Connect(cluster_->Socket(database_));
  ASSERT_TRUE(ApplyMigrations(*connection, {Migrations()[0]}, absl::UnixEpoch()).ok());
  const absl::Status status = ApplyMigrations(
      *connection,
      {Migrations()[0], Migrations()[1], {.version = 3, .name = "bad", .sql = "NONSENSE"}},
      absl::UnixEpoch());
  EXPECT_THAT(status.message(), HasSubstr("migration 3 (bad)"));
  EXPECT_EQ(*SchemaVersion(*connection), 1);
  EXPECT_EQ(*connection->QueryText("SELECT coalesce(to_regclass('spec_history')::text, '')"), "");
  EXPECT_TRUE(Open(cluster_->Socket(database_))->Load().ok());
}

TEST_F(PostgresStoreTest, SeveralThatOpenAtOnceMigrateOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] { Open(cluster_->Socket(database_)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cluster_->Sql(database_, "SELECT count(*) FROM migrations"),
            absl::StrCat(Migrations().size()));
}

TEST_F(PostgresStoreTest, OtherEncodingsAreRefused) {
  const std::string latin =
      cluster_->NewDatabase("TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
  const absl::Status status = OpenStatus(cluster_->Socket(latin));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("LATIN1"));
}

TEST_F(PostgresStoreTest, WrongPasswordIsPermissionDeniedWithoutThePassword) {
  for (const std::string& password : {std::string("hush"), std::string()}) {
    const absl::Status status = OpenStatus(cluster_->WithPassword(database_, password));
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("127.0.0.1"), HasSubstr(database_),
                                        HasSubstr("PGPASSFILE"), Not(HasSubstr("hush"))));
  }
}

TEST_F(PostgresStoreTest, MissingDatabaseIsNotFound) {
  const absl::Status status = OpenStatus(cluster_->Socket("nosuch"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_THAT(status.message(), AllOf(HasSubstr("nosuch"), HasSubstr("createdb")));
}

TEST_F(PostgresStoreTest, UserWithoutRightsIsPermissionDenied) {
  cluster_->Sql(database_,
                absl::StrCat("CREATE ROLE guest_", database_, " LOGIN PASSWORD 'guest'"));
  PostgresAddress address = AddressOf(cluster_->Loopback(database_));
  address.parameters["user"] = absl::StrCat("guest_", database_);
  address.parameters["password"] = "guest";
  const auto store = PostgresStore::Open(address, clock_, base::Random::Real());
  EXPECT_EQ(store.status().code(), absl::StatusCode::kPermissionDenied) << store.status();
  EXPECT_THAT(store.status().message(), HasSubstr("must own"));
}

TEST_F(PostgresStoreTest, TlsIsUsedAndTheServerChecked) {
  const std::string root = "sslmode=verify-full&sslrootcert=";
  const auto connection = Connect(cluster_->Loopback(database_, root + cluster_->certificate()));
  EXPECT_EQ(*connection->QueryText("SELECT ssl::text FROM pg_stat_ssl WHERE pid = "
                                   "pg_backend_pid()"),
            "true");
  const absl::Status refused =
      OpenStatus(cluster_->Loopback(database_, root + cluster_->other_certificate()));
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_THAT(refused.message(), AllOf(HasSubstr("certificate"), HasSubstr("sslrootcert")));
}

}  // namespace
}  // namespace fairlead::store
