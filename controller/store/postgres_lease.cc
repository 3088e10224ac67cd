#include "controller/store/postgres_lease.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "base/clock.h"
#include "base/status.h"
#include "controller/store/postgres_connection.h"
#include "controller/store/postgres_store.h"

namespace fairlead::store {
namespace {

// The database's clock in microseconds. Not of the transaction: one that has waited is not early.
constexpr char kNow[] = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

// One statement, so all of it or nothing. The writer's row is changed here, in the same commit:
// from then on no batch of an earlier term comes about. A batch on its way is waited for. It is for
// the term that was seen: a question that a cut network delivers late changes nothing. The holder
// itself may begin anew before its lease ends, which ends it.
constexpr char kAcquire[] =
    "WITH won AS (UPDATE controller_lease SET holder = $1, address = $2, http_address = $3, "
    "authority = $4, term = term + 1, expires = NOW + $5::bigint "
    "WHERE term = $6::bigint AND (holder = $1 OR expires <= NOW) RETURNING term, expires), "
    "over AS (UPDATE controller_terms SET expires = least(controller_terms.expires, "
    "won.expires - $5::bigint) FROM won WHERE controller_terms.term = $6::bigint), "
    "fenced AS (UPDATE store_writer SET owner = '', epoch = epoch + 1, term = won.term FROM won), "
    "noted AS (INSERT INTO controller_terms (term, holder, address, began, expires, stopped) "
    "SELECT term, $1, $2, expires - $5::bigint, expires, 0 FROM won) "
    "SELECT term FROM won";
constexpr char kRenew[] =
    "WITH kept AS (UPDATE controller_lease SET expires = NOW + $3::bigint "
    "WHERE holder = $1 AND term = $2::bigint AND expires > NOW RETURNING term, expires) "
    "UPDATE controller_terms SET expires = kept.expires FROM kept "
    "WHERE controller_terms.term = kept.term RETURNING kept.term";
constexpr char kRelease[] =
    "WITH ended AS (UPDATE controller_lease SET expires = NOW "
    "WHERE term = $1::bigint AND expires > NOW RETURNING term, expires) "
    "UPDATE controller_terms SET expires = ended.expires, stopped = ended.expires FROM ended "
    "WHERE controller_terms.term = ended.term";
constexpr char kNoteStopped[] =
    "UPDATE controller_terms SET stopped = $2::bigint WHERE term = $1::bigint AND stopped = 0";
constexpr char kLook[] =
    "SELECT term, holder, address, http_address, authority, expires - NOW FROM controller_lease";

std::string Statement(absl::string_view sql) { return absl::StrReplaceAll(sql, {{"NOW", kNow}}); }

// Waiting is real time.
absl::Duration Uptime() { return base::Clock::Real().Uptime(); }

std::string Microseconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Microseconds(duration));
}

int64_t NumberOf(const std::string& text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

}  // namespace

// One connection that never blocks.
class PostgresLease::Link {
 public:
  explicit Link(std::string name) : name_(std::move(name)) {}
  ~Link() { ::PQfinish(connection_); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  absl::Status Connect(const PostgresAddress& address, absl::Duration end) {
    connection_ = ::PQconnectStart(address.ConnectionString().c_str());
    if (connection_ == nullptr) return absl::ResourceExhaustedError("out of memory");
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK) {
      if (::PQstatus(connection_) == CONNECTION_BAD || step == PGRES_POLLING_FAILED) return Lost();
      RETURN_IF_ERROR(Wait(step == PGRES_POLLING_READING ? POLLIN : POLLOUT, end));
      step = ::PQconnectPoll(connection_);
    }
    if (::PQsetnonblocking(connection_, 1) != 0) return Lost();
    // What waits longer than anybody wants to know is ended by the server. A lease that a crash of
    // the server can take back is none.
    return Ask("SELECT set_config('statement_timeout', '5s', false), "
               "set_config('default_transaction_isolation', 'read committed', false), "
               "CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') "
               "THEN set_config('synchronous_commit', 'on', false) END",
               {}, end)
        .status();
  }

  absl::StatusOr<Rows> Ask(const std::string& sql, const std::vector<std::string>& values,
                           absl::Duration end) {
    std::vector<const char*> texts;
    texts.reserve(values.size());
    for (const std::string& value : values) texts.push_back(value.c_str());
    if (::PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(texts.size()), nullptr,
                            texts.data(), nullptr, nullptr, 0) == 0) {
      return Lost();
    }
    RETURN_IF_ERROR(Flush(end));
    Rows rows;
    absl::Status status;
    while (true) {
      RETURN_IF_ERROR(AwaitResult(end));
      const std::unique_ptr<PGresult, void (*)(PGresult*)> result(::PQgetResult(connection_),
                                                                  ::PQclear);
      if (result == nullptr) break;
      status.Update(Take(*result, rows));
    }
    RETURN_IF_ERROR(status);
    return rows;
  }

 private:
  absl::Status Lost() const {
    return absl::UnavailableError(
        absl::StrCat(name_, ": ", absl::StripAsciiWhitespace(::PQerrorMessage(connection_))));
  }

  absl::Status Wait(int16_t events, absl::Duration end) const {
    pollfd waiting{.fd = ::PQsocket(connection_), .events = events, .revents = 0};
    while (true) {
      const absl::Duration left = end - Uptime();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError(absl::StrCat(name_, " does not answer in time"));
      }
      const int64_t milliseconds = absl::ToInt64Milliseconds(left) + 1;
      if (::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(milliseconds, 60'000))) > 0) {
        return absl::OkStatus();
      }
    }
  }

  absl::Status Flush(absl::Duration end) const {
    while (true) {
      const int left = ::PQflush(connection_);
      if (left < 0) return Lost();
      if (left == 0) return absl::OkStatus();
      RETURN_IF_ERROR(Wait(POLLIN | POLLOUT, end));
      if (::PQconsumeInput(connection_) == 0) return Lost();
    }
  }

  absl::Status AwaitResult(absl::Duration end) const {
    while (::PQisBusy(connection_) != 0) {
      RETURN_IF_ERROR(Wait(POLLIN, end));
      if (::PQconsumeInput(connection_) == 0) return Lost();
    }
    return absl::OkStatus();
  }

  absl::Status Take(const PGresult& result, Rows& rows) const {
    const ExecStatusType status = ::PQresultStatus(&result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      return absl::UnavailableError(
          absl::StrCat(name_, ": ", absl::StripAsciiWhitespace(::PQresultErrorMessage(&result))));
    }
    for (int row = 0; row < ::PQntuples(&result); ++row) {
      Row& one = rows.emplace_back();
      for (int column = 0; column < ::PQnfields(&result); ++column) {
        one.emplace_back(::PQgetvalue(&result, row, column));
      }
    }
    return absl::OkStatus();
  }

  const std::string name_;
  PGconn* connection_ = nullptr;
};

PostgresLease::PostgresLease(PostgresAddress address) : address_(std::move(address)) {}

PostgresLease::~PostgresLease() = default;

absl::StatusOr<std::unique_ptr<PostgresLease>> PostgresLease::Open(const PostgresAddress& address,
                                                                   absl::Time now) {
  ASSIGN_OR_RETURN(const std::unique_ptr<PostgresConnection> connection,
                   PostgresConnection::Connect(address, {}));
  RETURN_IF_ERROR(PrepareForLease(*connection, now));
  PostgresAddress own = address;
  own.parameters.emplace("application_name", "fairlead-controller lease");
  return std::unique_ptr<PostgresLease>(new PostgresLease(std::move(own)));
}

absl::StatusOr<PostgresLease::Rows> PostgresLease::Ask(const std::string& sql,
                                                       const std::vector<std::string>& values,
                                                       absl::Duration end) {
  if (link_ == nullptr) {
    auto link = std::make_unique<Link>(address_.Name());
    const absl::Status connected = link->Connect(address_, end);
    // The next one may answer; by itself libpq goes on only from one that says no.
    if (absl::IsDeadlineExceeded(connected)) address_.PutNextHostFirst();
    RETURN_IF_ERROR(connected);
    link_ = std::move(link);
  }
  absl::StatusOr<Rows> rows = link_->Ask(Statement(sql), values, end);
  if (!rows.ok()) link_.reset();
  return rows;
}

absl::StatusOr<LeaseSight> PostgresLease::LookUntil(absl::Duration end) {
  ASSIGN_OR_RETURN(const Rows rows, Ask(kLook, {}, end));
  if (rows.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(address_.Name(), ": controller_lease has lost its row; restore a backup"));
  }
  const Row& row = rows.front();
  return LeaseSight{
      .term = NumberOf(row[0]),
      .claim = {.holder = row[1], .address = row[2], .http_address = row[3], .authority = row[4]},
      .left = absl::Microseconds(NumberOf(row[5]))};
}

absl::StatusOr<LeaseSight> PostgresLease::Look(absl::Duration patience) {
  return LookUntil(Uptime() + patience);
}

absl::StatusOr<LeaseSight> PostgresLease::Acquire(const LeaseClaim& claim, absl::Duration life,
                                                  absl::Duration patience) {
  const absl::Duration end = Uptime() + patience;
  ASSIGN_OR_RETURN(const LeaseSight sight, LookUntil(end));
  if (sight.left > absl::ZeroDuration() && sight.claim.holder != claim.holder) return sight;
  ASSIGN_OR_RETURN(const Rows won,
                   Ask(kAcquire,
                       {claim.holder, claim.address, claim.http_address, claim.authority,
                        Microseconds(life), absl::StrCat(sight.term)},
                       end));
  // Another one was quicker.
  if (won.empty()) return LookUntil(end);
  return LeaseSight{.term = NumberOf(won[0][0]), .claim = claim, .left = life};
}

absl::StatusOr<LeaseSight> PostgresLease::Renew(const LeaseClaim& claim, int64_t term,
                                                absl::Duration life, absl::Duration patience) {
  const absl::Duration end = Uptime() + patience;
  ASSIGN_OR_RETURN(const Rows kept,
                   Ask(kRenew, {claim.holder, absl::StrCat(term), Microseconds(life)}, end));
  if (kept.empty()) return LookUntil(end);
  return LeaseSight{.term = term, .claim = claim, .left = life};
}

absl::Status PostgresLease::Release(int64_t term, absl::Duration patience) {
  return Ask(kRelease, {absl::StrCat(term)}, Uptime() + patience).status();
}

absl::Status PostgresLease::NoteStopped(int64_t term, absl::Duration ago, absl::Duration patience) {
  const absl::Duration end = Uptime() + patience;
  // The moment itself, whenever the note arrives.
  ASSIGN_OR_RETURN(const Rows now, Ask("SELECT NOW", {}, end));
  const int64_t stopped = NumberOf(now.at(0).at(0)) - absl::ToInt64Microseconds(ago);
  return Ask(kNoteStopped, {absl::StrCat(term), absl::StrCat(stopped)}, end).status();
}

}  // namespace fairlead::store
