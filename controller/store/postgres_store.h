// The store in a PostgreSQL database.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/store/postgres_connection.h"
#include "controller/store/reconnect_gate.h"
#include "controller/store/store.h"
#include "controller/store/store_records.h"

namespace fairlead::store {

struct PostgresStoreOptions {
  PostgresOptions connection;
  base::BackoffPolicy reconnect = {.initial = absl::Milliseconds(200),
                                   .maximum = absl::Seconds(10)};
  // Of the office in which it writes; 0 where no controllers are elected. A store of an office that
  // is not the present one cannot be opened, nor written to.
  int64_t term = 0;
};

// Makes what a writer and the lease need: store_writer, controller_lease and controller_terms,
// beside the tables of the migrations. The caller holds a transaction.
absl::Status MakeWriterTable(SqlSession& session);

// The same with a transaction of its own, and all other tables when there are none. Those of an
// older program stay as they are until this one holds the lease.
absl::Status PrepareForLease(PostgresConnection& connection, absl::Time now);

// Tables as in SQLite. Two connections: one writes, the other reads, so that a look does not wait
// for a commit. Lost ones are made again by the next call, between failures with backoff; a call in
// between is Unavailable at once. Thread-safe: writes take turns, and so do reads.
//
// A batch whose connection broke off during the commit may have come about or not. Each batch
// leaves its number in store_writer, in its own transaction, so the next connection tells: if it
// is there, Apply is OK; if not, the batch is sent again. Nobody has to wait for the old session,
// since every new connection raises the epoch there, and a batch of an earlier epoch fails. So does
// that of a controller after another one has opened the same database.
class PostgresStore final : public Store {
 public:
  // Connects and migrates. Takes the database over from whoever wrote before. `clock` and `random`
  // outlive the store.
  static absl::StatusOr<std::unique_ptr<PostgresStore>> Open(
      const PostgresAddress& address, base::Clock& clock, base::Random& random,
      const PostgresStoreOptions& options = {});

  ~PostgresStore() override;

  absl::StatusOr<StoreImage> Load() override ABSL_LOCKS_EXCLUDED(read_mutex_);
  // FailedPrecondition when another controller has taken the database over.
  absl::Status Apply(const StoreBatch& batch) override ABSL_LOCKS_EXCLUDED(write_mutex_);
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const EventFilter& filter) override
      ABSL_LOCKS_EXCLUDED(read_mutex_);
  absl::StatusOr<std::vector<v1::Run>> ListRuns(const RunFilter& filter) override
      ABSL_LOCKS_EXCLUDED(read_mutex_);
  absl::StatusOr<std::vector<v1::SpecRecord>> ListHistory(const std::string& resource) override
      ABSL_LOCKS_EXCLUDED(read_mutex_);
  absl::StatusOr<std::vector<v1::AuditRecord>> ListAudit(const AuditFilter& filter) override
      ABSL_LOCKS_EXCLUDED(read_mutex_);
  void Abandon() override ABSL_LOCKS_EXCLUDED(sockets_mutex_);

 private:
  // A connection and when it may be made again.
  struct Channel {
    explicit Channel(const base::BackoffPolicy& policy, base::Random& random)
        : gate(policy, random) {}
    std::unique_ptr<PostgresConnection> connection;
    // A second descriptor of its socket, to end a wait; -1 when there is none.
    int socket = -1;
    ReconnectGate gate;
  };
  // A batch with appends whose answer was lost. Their ids are of no other batch.
  struct Doubt {
    int64_t number = 0;
    std::vector<SqlCall> calls;
    // Told by the next connection.
    std::optional<bool> came_about;
  };

  PostgresStore(PostgresAddress address, base::Clock& clock, base::Random& random,
                const PostgresStoreOptions& options);

  absl::Status Start() ABSL_LOCKS_EXCLUDED(write_mutex_);
  // The channel has a connection when it returns OK; `prepare` makes a new one fit.
  absl::Status Connect(Channel& channel,
                       const std::function<absl::Status(PostgresConnection&)>& prepare);
  // Unavailable after Abandon.
  absl::Status CheckKept() ABSL_LOCKS_EXCLUDED(sockets_mutex_);
  // Takes the channel's connection away.
  void Drop(Channel& channel) ABSL_LOCKS_EXCLUDED(sockets_mutex_);
  // Raises the epoch and reads the number of the last batch that came about.
  absl::Status ClaimLocked(PostgresConnection& connection)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  absl::Status ConnectWriterLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Whether these calls came about at an attempt before.
  bool CameAboutLocked(const std::vector<SqlCall>& calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // `appends`: done twice it would fail, where others are the same.
  absl::Status WriteLocked(const std::vector<SqlCall>& calls, bool appends)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);
  // Runs `read`, once more when the connection turns out to be lost.
  absl::Status Read(const std::function<absl::Status(SqlSession&)>& read)
      ABSL_LOCKS_EXCLUDED(read_mutex_);

  const PostgresAddress address_;
  const PostgresStoreOptions options_;
  base::Clock& clock_;
  // Of this object, at the database.
  const std::string owner_;

  base::Mutex write_mutex_;
  Channel writer_ ABSL_GUARDED_BY(write_mutex_);
  bool claimed_ ABSL_GUARDED_BY(write_mutex_) = false;
  int64_t epoch_ ABSL_GUARDED_BY(write_mutex_) = 0;
  // Of the last batch that came about.
  int64_t batch_ ABSL_GUARDED_BY(write_mutex_) = 0;
  // Several where others write before it is sent again; the oldest go.
  std::deque<Doubt> doubts_ ABSL_GUARDED_BY(write_mutex_);
  EventTrim trim_ ABSL_GUARDED_BY(write_mutex_);

  base::Mutex read_mutex_;
  Channel reader_ ABSL_GUARDED_BY(read_mutex_);

  // Never held while the database is asked.
  base::Mutex sockets_mutex_;
  std::set<int> sockets_ ABSL_GUARDED_BY(sockets_mutex_);
  bool abandoned_ ABSL_GUARDED_BY(sockets_mutex_) = false;
};

}  // namespace fairlead::store
