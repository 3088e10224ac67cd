// What a state of a container costs to store, beside a plain loop of the same statements against
// the same kind of database, in the same run. Prints one JSON row a line, as tools/bench collects
// them; remarks go to stderr.
#include <libpq-fe.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "controller/store/postgres_store.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/testing/postgres_cluster.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

constexpr int kRounds = 15;
// At least 0.8 of the loop's updates in a second.
constexpr double kMostRatio = 1 / 0.8;
constexpr char kPut[] =
    "INSERT INTO inventory (resource, server, record) VALUES ($1, $2, $3) "
    "ON CONFLICT (resource) DO UPDATE SET server = excluded.server, record = excluded.record";

void Require(bool holds, const std::string& what) {
  if (holds) return;
  absl::FPrintF(stderr, "store_bench: %s\n", what);
  std::exit(1);
}

// An update of one container's state, as the loop stores it.
v1::InventoryEntry EntryOf(int number, int round) {
  v1::InventoryEntry entry;
  entry.set_resource(absl::StrCat("deployment/web-", number));
  entry.set_server(absl::StrCat("edge-", number % 100));
  entry.set_applied_hash(absl::StrCat("0123456789abcdef0123456789abcdef", round));
  entry.mutable_applied()->set_name(absl::StrCat("web-", number));
  (*entry.mutable_section_hash())["image"] = absl::StrCat("fedcba9876543210", round);
  (*entry.mutable_section_hash())["environment"] = "0123456789abcdef";
  return entry;
}

StoreBatch BatchOf(int size, int round) {
  StoreBatch batch;
  for (int i = 0; i < size; ++i) batch.put_inventory.push_back(EntryOf(i, round));
  return batch;
}

// Rows as a loop without a store would have them.
struct Row {
  std::string resource;
  std::string server;
  std::string record;
};

std::vector<Row> RowsOf(const StoreBatch& batch) {
  std::vector<Row> rows;
  for (const v1::InventoryEntry& entry : batch.put_inventory) {
    rows.push_back({entry.resource(), entry.server(), entry.SerializeAsString()});
  }
  return rows;
}

class SqliteLoop {
 public:
  explicit SqliteLoop(const std::string& path) {
    Require(sqlite3_open(path.c_str(), &database_) == SQLITE_OK, "open the database of the loop");
    Run("PRAGMA synchronous = FULL");
    Require(sqlite3_prepare_v2(database_, kPut, -1, &put_, nullptr) == SQLITE_OK, "prepare");
  }
  ~SqliteLoop() {
    sqlite3_finalize(put_);
    sqlite3_close(database_);
  }
  SqliteLoop(const SqliteLoop&) = delete;
  SqliteLoop& operator=(const SqliteLoop&) = delete;

  void Apply(const std::vector<Row>& rows) {
    Run("BEGIN IMMEDIATE");
    for (const Row& row : rows) {
      sqlite3_bind_text(put_, 1, row.resource.data(), static_cast<int>(row.resource.size()),
                        SQLITE_STATIC);
      sqlite3_bind_text(put_, 2, row.server.data(), static_cast<int>(row.server.size()),
                        SQLITE_STATIC);
      sqlite3_bind_blob(put_, 3, row.record.data(), static_cast<int>(row.record.size()),
                        SQLITE_STATIC);
      Require(sqlite3_step(put_) == SQLITE_DONE, "a statement of the loop");
      sqlite3_reset(put_);
    }
    Run("COMMIT");
  }

 private:
  void Run(const char* sql) {
    Require(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
  }
  sqlite3* database_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
};

class PostgresLoop {
 public:
  explicit PostgresLoop(const std::string& url) : connection_(PQconnectdb(url.c_str())) {
    Require(PQstatus(connection_) == CONNECTION_OK, PQerrorMessage(connection_));
    Check(PQprepare(connection_, "put", kPut, 3, nullptr));
  }
  ~PostgresLoop() { PQfinish(connection_); }
  PostgresLoop(const PostgresLoop&) = delete;
  PostgresLoop& operator=(const PostgresLoop&) = delete;

  void Apply(const std::vector<Row>& rows) {
    Check(PQexec(connection_, "BEGIN"));
    for (const Row& row : rows) {
      const char* values[] = {row.resource.data(), row.server.data(), row.record.data()};
      const int lengths[] = {static_cast<int>(row.resource.size()),
                             static_cast<int>(row.server.size()),
                             static_cast<int>(row.record.size())};
      const int formats[] = {1, 1, 1};
      Check(PQexecPrepared(connection_, "put", 3, values, lengths, formats, 0));
    }
    Check(PQexec(connection_, "COMMIT"));
  }

 private:
  void Check(PGresult* result) {
    Require(PQresultStatus(result) == PGRES_COMMAND_OK, PQerrorMessage(connection_));
    PQclear(result);
  }
  PGconn* const connection_;
};

double Median(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

// Of the wall: both wait for the disk.
double Microseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

// `batches` of `size` updates a round. Store and loop take turns, so that both see the same disk.
void Measure(const std::string& name, Store& store, int size, int batches,
             const std::function<void(const std::vector<Row>&)>& loop) {
  std::vector<double> floors;
  std::vector<double> values;
  int number = 0;
  for (int round = 0; round <= kRounds; ++round) {
    std::vector<StoreBatch> work;
    for (int i = 0; i < batches; ++i) work.push_back(BatchOf(size, ++number));
    // Who stores a message has to serialise it, with a store or without one.
    const double floor = Microseconds([&] {
      for (const StoreBatch& each : work) loop(RowsOf(each));
    });
    const double value = Microseconds([&] {
      for (const StoreBatch& each : work) {
        const absl::Status status = store.Apply(each);
        Require(status.ok(), std::string(status.message()));
      }
    });
    // The first round makes the rows and prepares the statements.
    if (round == 0) continue;
    floors.push_back(floor / (size * batches));
    values.push_back(value / (size * batches));
  }
  const double floor = Median(floors);
  const double value = Median(values);
  absl::PrintF(
      "{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"us\", \"floor\": %.3f, \"ratio\": %.3f, "
      "\"target\": %.3f, \"holds\": %s}\n",
      name, value, floor, value / floor, kMostRatio,
      value <= kMostRatio * floor ? "true" : "false");
  absl::FPrintF(stderr, "%s: %.0f updates/s, the loop %.0f\n", name, 1e6 / value, 1e6 / floor);
}

void MeasureSqlite() {
  TemporaryFolder folder;
  auto store = SqliteStore::Open(folder.File("store.db"), base::Clock::Real());
  auto plain = SqliteStore::Open(folder.File("plain.db"), base::Clock::Real());
  Require(store.ok() && plain.ok(), "open SQLite");
  plain->reset();
  SqliteLoop loop(folder.File("plain.db"));
  const auto apply = [&loop](const std::vector<Row>& rows) { loop.Apply(rows); };
  Measure("store_sqlite_update_alone", **store, 1, 200, apply);
  Measure("store_sqlite_update_of_100", **store, 100, 20, apply);
}

void MeasurePostgres() {
  std::string why;
  PostgresCluster* const cluster = PostgresCluster::Shared(why);
  if (cluster == nullptr) {
    absl::FPrintF(stderr, "PostgreSQL is not measured: %s\n", why);
    return;
  }
  const auto open = [cluster](const std::string& database) {
    return PostgresStore::Open(*ParsePostgresAddress(cluster->Socket(database), ""),
                               base::Clock::Real(), base::Random::Real());
  };
  auto store = open(cluster->NewDatabase());
  const std::string plain_database = cluster->NewDatabase();
  auto plain = open(plain_database);
  Require(store.ok() && plain.ok(), "open PostgreSQL");
  plain->reset();
  PostgresLoop loop(cluster->Socket(plain_database));
  const auto apply = [&loop](const std::vector<Row>& rows) { loop.Apply(rows); };
  Measure("store_postgres_update_alone", **store, 1, 200, apply);
  Measure("store_postgres_update_of_100", **store, 100, 20, apply);
}

}  // namespace
}  // namespace fairlead::store

int main() {
  fairlead::store::MeasureSqlite();
  fairlead::store::MeasurePostgres();
  return 0;
}
