#include "controller/store/postgres_store.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "controller/store/migrations.h"

namespace fairlead::store {
namespace {

// One row. A batch of an earlier epoch fails at its first statement, for the want of a value.
constexpr absl::string_view kWriterTable =
    "CREATE TABLE IF NOT EXISTS store_writer (id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1), "
    "owner TEXT NOT NULL, epoch INTEGER NOT NULL, batch INTEGER NOT NULL)";
constexpr absl::string_view kWriterRow =
    "INSERT INTO store_writer (id, owner, epoch, batch) VALUES (1, '', 0, 0) "
    "ON CONFLICT (id) DO NOTHING";
// Raised with each new office. In this row, so that whoever comes too late finds it changed.
constexpr absl::string_view kWriterTerm =
    "ALTER TABLE store_writer ADD COLUMN IF NOT EXISTS term INTEGER NOT NULL DEFAULT 0";
// Times are microseconds by the clock of the database; `stopped` is 0 until it is known.
constexpr absl::string_view kLeaseTables =
    "CREATE TABLE IF NOT EXISTS controller_lease (id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1), "
    "term INTEGER NOT NULL, holder TEXT NOT NULL, address TEXT NOT NULL, "
    "http_address TEXT NOT NULL, authority TEXT NOT NULL, expires INTEGER NOT NULL); "
    "INSERT INTO controller_lease VALUES (1, 0, '', '', '', '', 0) ON CONFLICT (id) DO NOTHING; "
    "CREATE TABLE IF NOT EXISTS controller_terms (term INTEGER PRIMARY KEY NOT NULL, "
    "holder TEXT NOT NULL, address TEXT NOT NULL, began INTEGER NOT NULL, "
    "expires INTEGER NOT NULL, stopped INTEGER NOT NULL)";
constexpr char kTakeOver[] =
    "UPDATE store_writer SET owner = $1, epoch = epoch + 1 WHERE term = $2 OR $2 = 0 "
    "RETURNING epoch, batch";
constexpr char kComeBack[] =
    "UPDATE store_writer SET epoch = epoch + 1 WHERE owner = $1 RETURNING epoch, batch";
constexpr char kNoteBatch[] =
    "UPDATE store_writer SET epoch = CASE WHEN epoch = $1 THEN epoch END, batch = $2";

constexpr std::size_t kMostDoubts = 16;

absl::Status TakenOver(const std::string& name) {
  return absl::FailedPreconditionError(
      absl::StrCat(name,
                   ": another controller has opened this database and writes to it now; "
                   "stop one of the two"));
}

// With the row locked no later office can begin.
absl::Status CheckTerm(PostgresConnection& connection, int64_t term) {
  if (term == 0) return absl::OkStatus();
  bool is_present = false;
  RETURN_IF_ERROR(connection.Query("SELECT 1 FROM store_writer WHERE term = $1 FOR UPDATE",
                                   {SqlValue::Integer(term)}, [&is_present](const SqlRow&) {
                                     is_present = true;
                                     return absl::OkStatus();
                                   }));
  return is_present ? absl::OkStatus() : TakenOver(connection.name());
}

// `term`: only in that office; 0 in any.
absl::Status Migrate(PostgresConnection& connection, absl::Time now, int to_version,
                     int64_t term = 0) {
  ASSIGN_OR_RETURN(const int version, SchemaVersion(connection));
  RETURN_IF_ERROR(CheckSchemaIsKnown(connection.name(), version, Migrations()));
  ASSIGN_OR_RETURN(
      const std::string newest_table,
      connection.QueryText("SELECT coalesce(to_regclass('controller_terms')::text, '')"));
  const bool migrates = version < to_version;
  if (!migrates && !newest_table.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(connection.Begin());
  absl::Status status = CheckTerm(connection, term);
  if (status.ok() && migrates) status = MigrateInTransaction(connection, Migrations(), now);
  if (status.ok()) status = MakeWriterTable(connection);
  if (status.ok()) status = connection.Commit();
  connection.Rollback();
  return status;
}

}  // namespace

absl::Status MakeWriterTable(SqlSession& session) {
  for (const absl::string_view sql : {kWriterTable, kWriterRow, kWriterTerm, kLeaseTables}) {
    RETURN_IF_ERROR(session.Execute(session.InDialect(std::string(sql))));
  }
  return absl::OkStatus();
}

absl::Status PrepareForLease(PostgresConnection& connection, absl::Time now) {
  return Migrate(connection, now, 1);
}

PostgresStore::PostgresStore(PostgresAddress address, base::Clock& clock, base::Random& random,
                             const PostgresStoreOptions& options)
    : address_(std::move(address)),
      options_(options),
      clock_(clock),
      owner_(base::NewId(random)),
      writer_(options.reconnect, random),
      reader_(options.reconnect, random) {}

absl::StatusOr<std::unique_ptr<PostgresStore>> PostgresStore::Open(
    const PostgresAddress& address, base::Clock& clock, base::Random& random,
    const PostgresStoreOptions& options) {
  std::unique_ptr<PostgresStore> store(new PostgresStore(address, clock, random, options));
  RETURN_IF_ERROR(store->Start());
  return store;
}

PostgresStore::~PostgresStore() {
  base::MutexLock write(write_mutex_);
  base::MutexLock read(read_mutex_);
  Drop(writer_);
  Drop(reader_);
}

absl::Status PostgresStore::Start() {
  base::MutexLock lock(write_mutex_);
  return ConnectWriterLocked();
}

absl::Status PostgresStore::Connect(
    Channel& channel, const std::function<absl::Status(PostgresConnection&)>& prepare) {
  RETURN_IF_ERROR(CheckKept());
  if (channel.connection != nullptr && !channel.connection->lost()) return absl::OkStatus();
  Drop(channel);
  RETURN_IF_ERROR(channel.gate.Check(clock_.Uptime()));
  absl::StatusOr<std::unique_ptr<PostgresConnection>> made =
      PostgresConnection::Connect(address_, options_.connection);
  absl::Status status = made.status();
  if (status.ok()) status = prepare(**made);
  if (!status.ok()) {
    channel.gate.NoteFailure(clock_.Uptime(), status);
    return status;
  }
  channel.gate.NoteSuccess();
  {
    base::MutexLock lock(sockets_mutex_);
    channel.connection = *std::move(made);
    // A number of our own: libpq's is somebody else's once it has closed it.
    channel.socket = ::fcntl(channel.connection->socket(), F_DUPFD_CLOEXEC, 0);
    if (channel.socket >= 0) sockets_.insert(channel.socket);
  }
  absl::Status kept = CheckKept();
  if (!kept.ok()) Drop(channel);
  return kept;
}

absl::Status PostgresStore::CheckKept() {
  base::MutexLock lock(sockets_mutex_);
  if (!abandoned_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(address_.Name(), " is given up: no more in office"));
}

void PostgresStore::Drop(Channel& channel) {
  if (channel.connection == nullptr) return;
  base::MutexLock lock(sockets_mutex_);
  channel.connection.reset();
  if (channel.socket < 0) return;
  sockets_.erase(channel.socket);
  ::close(channel.socket);
  channel.socket = -1;
}

void PostgresStore::Abandon() {
  base::MutexLock lock(sockets_mutex_);
  abandoned_ = true;
  // Whoever waits for an answer hears that there will be none.
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

absl::Status PostgresStore::ClaimLocked(PostgresConnection& connection) {
  std::vector<int64_t> row_of_ours;
  // Waits for a batch of an earlier session that is in the middle of its commit.
  SqlValues values = {SqlValue::Text(owner_)};
  if (!claimed_) values.push_back(SqlValue::Integer(options_.term));
  RETURN_IF_ERROR(
      connection.Query(claimed_ ? kComeBack : kTakeOver, values, [&row_of_ours](const SqlRow& row) {
        row_of_ours = {row.Integer(0), row.Integer(1)};
        return absl::OkStatus();
      }));
  if (row_of_ours.empty()) return TakenOver(connection.name());
  epoch_ = row_of_ours[0];
  batch_ = row_of_ours[1];
  claimed_ = true;
  return absl::OkStatus();
}

absl::Status PostgresStore::ConnectWriterLocked() {
  if (writer_.connection != nullptr && !writer_.connection->lost()) return absl::OkStatus();
  const int64_t term = claimed_ ? 0 : options_.term;
  RETURN_IF_ERROR(Connect(writer_, [this, term](PostgresConnection& connection) {
    return Migrate(connection, clock_.Now(), Migrations().back().version, term);
  }));
  absl::Status claimed = ClaimLocked(*writer_.connection);
  if (!claimed.ok()) {
    Drop(writer_);
    writer_.gate.NoteFailure(clock_.Uptime(), claimed);
  }
  return claimed;
}

bool PostgresStore::CameAboutLocked(const std::vector<SqlCall>& calls) {
  for (Doubt& doubt : doubts_) {
    // No batch has come between it and this connection.
    if (!doubt.came_about.has_value()) doubt.came_about = doubt.number == batch_;
  }
  const auto same = std::find_if(doubts_.begin(), doubts_.end(),
                                 [&calls](const Doubt& doubt) { return doubt.calls == calls; });
  if (same == doubts_.end()) return false;
  const bool came_about = *same->came_about;
  doubts_.erase(same);
  return came_about;
}

absl::Status PostgresStore::WriteLocked(const std::vector<SqlCall>& calls, bool appends) {
  absl::Status status;
  // A second time after the loss of a connection that was there.
  for (int attempt = 0; attempt < 2; ++attempt) {
    RETURN_IF_ERROR(ConnectWriterLocked());
    if (CameAboutLocked(calls)) return absl::OkStatus();
    const int64_t number = batch_ + 1;
    std::vector<SqlCall> all;
    all.reserve(calls.size() + 1);
    all.push_back({kNoteBatch, {SqlValue::Integer(epoch_), SqlValue::Integer(number)}});
    all.insert(all.end(), calls.begin(), calls.end());
    status = writer_.connection->RunAll(all);
    if (status.ok()) {
      batch_ = number;
      return status;
    }
    if (!writer_.connection->lost()) {
      return status.code() == absl::StatusCode::kFailedPrecondition
                 ? TakenOver(writer_.connection->name())
                 : status;
    }
    if (appends) doubts_.push_back({number, calls, std::nullopt});
    if (doubts_.size() > kMostDoubts) doubts_.pop_front();
  }
  return status;
}

absl::Status PostgresStore::Apply(const StoreBatch& batch) {
  if (batch.empty()) return absl::OkStatus();
  base::MutexLock lock(write_mutex_);
  const std::size_t appends = batch.append_events.size();
  SqlCalls calls;
  RETURN_IF_ERROR(WriteBatch(calls, batch, trim_.IsDue(appends)));
  RETURN_IF_ERROR(WriteLocked(calls.calls, appends > 0 || !batch.append_audit.empty()));
  trim_.Note(appends);
  return absl::OkStatus();
}

absl::Status PostgresStore::Read(const std::function<absl::Status(SqlSession&)>& read) {
  base::MutexLock lock(read_mutex_);
  absl::Status status;
  for (int attempt = 0; attempt < 2; ++attempt) {
    RETURN_IF_ERROR(Connect(reader_, [](PostgresConnection&) { return absl::OkStatus(); }));
    PostgresConnection& connection = *reader_.connection;
    status = connection.BeginRead();
    if (status.ok()) status = read(connection);
    connection.Rollback();
    if (!connection.lost()) return status;
  }
  return status;
}

absl::StatusOr<StoreImage> PostgresStore::Load() {
  StoreImage image;
  RETURN_IF_ERROR(Read([&image](SqlSession& session) -> absl::Status {
    ASSIGN_OR_RETURN(image, ReadImage(session));
    return absl::OkStatus();
  }));
  return image;
}

absl::StatusOr<std::vector<v1::Event>> PostgresStore::ListEvents(const EventFilter& filter) {
  std::vector<v1::Event> events;
  RETURN_IF_ERROR(Read([&events, &filter](SqlSession& session) -> absl::Status {
    ASSIGN_OR_RETURN(events, ReadEvents(session, filter));
    return absl::OkStatus();
  }));
  return events;
}

absl::StatusOr<std::vector<v1::Run>> PostgresStore::ListRuns(const RunFilter& filter) {
  std::vector<v1::Run> runs;
  RETURN_IF_ERROR(Read([&runs, &filter](SqlSession& session) -> absl::Status {
    ASSIGN_OR_RETURN(runs, ReadRuns(session, filter));
    return absl::OkStatus();
  }));
  return runs;
}

absl::StatusOr<std::vector<v1::SpecRecord>> PostgresStore::ListHistory(
    const std::string& resource) {
  std::vector<v1::SpecRecord> records;
  RETURN_IF_ERROR(Read([&records, &resource](SqlSession& session) -> absl::Status {
    ASSIGN_OR_RETURN(records, ReadHistory(session, resource));
    return absl::OkStatus();
  }));
  return records;
}

absl::StatusOr<std::vector<v1::AuditRecord>> PostgresStore::ListAudit(const AuditFilter& filter) {
  std::vector<v1::AuditRecord> records;
  RETURN_IF_ERROR(Read([&records, &filter](SqlSession& session) -> absl::Status {
    ASSIGN_OR_RETURN(records, ReadAudit(session, filter));
    return absl::OkStatus();
  }));
  return records;
}

}  // namespace fairlead::store
