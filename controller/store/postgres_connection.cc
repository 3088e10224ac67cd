#include "controller/store/postgres_connection.h"

#include <exception>
#include <pqxx/pqxx>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "base/log.h"
#include "base/status.h"

namespace fairlead::store {
namespace {

constexpr pqxx::oid kBytea = 17;
// Whoever makes or changes tables holds it; any constant that nobody else is likely to use.
constexpr absl::string_view kSchemaLock = "SELECT pg_advisory_xact_lock(7166274710)";

// The first line only: what follows repeats the statement or the row, and these hold secrets.
std::string FirstLine(absl::string_view text) {
  absl::ConsumePrefix(&text, "ERROR:  ");
  absl::ConsumePrefix(&text, "FATAL:  ");
  return std::string(text.substr(0, text.find('\n')));
}

absl::Status StatusOfState(const std::string& name, const std::string& state,
                           const std::string& text) {
  const std::string what = absl::StrCat(name, ": ", text);
  if (state == "53100") return absl::ResourceExhaustedError(absl::StrCat(what, " (disk full)"));
  if (absl::StartsWith(state, "53")) return absl::ResourceExhaustedError(what);
  if (state == "23505") return absl::AlreadyExistsError(what);
  if (absl::StartsWith(state, "23")) return absl::FailedPreconditionError(what);
  if (state == "42501" || absl::StartsWith(state, "28")) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, "; the user of --store must own the database or its schema"));
  }
  if (state == "3D000") return absl::NotFoundError(what);
  if (state == "25006") {
    return absl::UnavailableError(absl::StrCat(what, " (the server is a standby or read only)"));
  }
  if (state == "57014") return absl::DeadlineExceededError(what);
  if (absl::StartsWith(state, "40") || state == "55P03") return absl::AbortedError(what);
  if (state == "XX001" || state == "XX002") {
    return absl::DataLossError(
        absl::StrCat(what, "; the server's files are damaged: restore the last backup"));
  }
  if (absl::StartsWith(state, "58") || absl::StartsWith(state, "57P") ||
      absl::StartsWith(state, "08")) {
    return absl::UnavailableError(what);
  }
  if (absl::StartsWith(state, "22")) return absl::InvalidArgumentError(what);
  return absl::InternalError(absl::StrCat(what, " (", state, ")"));
}

// After these the server is gone, or the outcome was never said.
bool IsLoss(const std::string& state) {
  return state.empty() || absl::StartsWith(state, "08") || absl::StartsWith(state, "57P") ||
         state == "40003";
}

// A refused login and a server that is away look the same but for libpq's text.
absl::Status ConnectStatus(const std::string& name, absl::string_view text) {
  const std::string what =
      absl::StrCat(name, ": ", absl::StripSuffix(absl::StrReplaceAll(text, {{"\n", " "}}), " "));
  if (absl::StrContains(text, "authentication failed") ||
      absl::StrContains(text, "no password supplied") ||
      absl::StrContains(text, "no pg_hba.conf entry") ||
      (absl::StrContains(text, "role \"") && absl::StrContains(text, "does not exist"))) {
    return absl::PermissionDeniedError(
        absl::StrCat(what, "; give the password in PGPASSFILE or --store-password-file"));
  }
  if (absl::StrContains(text, "database \"") && absl::StrContains(text, "does not exist")) {
    return absl::NotFoundError(absl::StrCat(what, "; make it with createdb"));
  }
  if (absl::StrContains(text, "certificate") || absl::StrContains(text, "SSL")) {
    return absl::UnavailableError(
        absl::StrCat(what, "; look at sslmode and sslrootcert of the address"));
  }
  return absl::UnavailableError(what);
}

class PostgresRow final : public SqlRow {
 public:
  explicit PostgresRow(const pqxx::row& row) : row_(row) {}
  std::string Bytes(int column) const override {
    const pqxx::field field = row_[column];
    const absl::string_view text(field.c_str(), field.size());
    if (row_.column_type(column) != kBytea) return std::string(text);
    return absl::HexStringToBytes(absl::StripPrefix(text, "\\x"));
  }
  int64_t Integer(int column) const override {
    const pqxx::field field = row_[column];
    int64_t value = 0;
    return absl::SimpleAtoi(absl::string_view(field.c_str(), field.size()), &value) ? value : 0;
  }

 private:
  const pqxx::row& row_;
};

}  // namespace

struct PostgresConnection::Link {
  explicit Link(const std::string& parameters) : connection(parameters) {}
  pqxx::connection connection;
};

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Connect(
    const PostgresAddress& address, const PostgresOptions& options) {
  PostgresAddress whole = address;
  const auto add = [&whole](const std::string& key, const std::string& value) {
    whole.parameters.emplace(key, value);
  };
  add("connect_timeout", absl::StrCat(absl::ToInt64Seconds(options.connect_timeout)));
  add("application_name", options.application);
  // A server that is cut off is noticed within half a minute.
  add("keepalives_idle", "10");
  add("keepalives_interval", "5");
  add("keepalives_count", "3");
  add("tcp_user_timeout", "30000");
  std::unique_ptr<Link> link;
  try {
    link = std::make_unique<Link>(whole.ConnectionString());
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    // A connection made anew behind our back would lack the session's settings and statements.
    link->connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
  } catch (const std::exception& error) {
    return ConnectStatus(address.Name(), error.what());
  }
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(address.Name(), std::move(link)));
  RETURN_IF_ERROR(connection->Configure(options));
  return connection;
}

PostgresConnection::PostgresConnection(std::string name, std::unique_ptr<Link> link)
    : name_(std::move(name)), link_(std::move(link)) {}

PostgresConnection::~PostgresConnection() = default;

int PostgresConnection::socket() const { return link_->connection.sock(); }

absl::Status PostgresConnection::Configure(const PostgresOptions& options) {
  RETURN_IF_ERROR(Execute(absl::StrCat(
      "SET client_min_messages = error; SET standard_conforming_strings = on; "
      "SET bytea_output = 'hex'; SET client_encoding = 'UTF8'; SET statement_timeout = ",
      absl::ToInt64Milliseconds(options.statement_timeout),
      "; SET idle_in_transaction_session_timeout = '5min'")));
  RETURN_IF_ERROR(
      Query("SELECT current_setting('server_encoding'), coalesce(current_schema(), ''), "
            "current_setting('fsync'), current_setting('synchronous_commit')",
            {}, [this](const SqlRow& row) -> absl::Status {
              if (row.Bytes(0) != "UTF8") {
                return absl::FailedPreconditionError(
                    absl::StrCat(name_, " has the encoding ", row.Bytes(0),
                                 "; make one with createdb --template=template0 --encoding=UTF8"));
              }
              if (row.Bytes(1).empty()) {
                return absl::FailedPreconditionError(
                    absl::StrCat(name_, ": none of the schemas in search_path is there"));
              }
              if (row.Bytes(2) != "on") {
                base::LogWarning("store", name_, " has fsync off: a power cut damages it");
              }
              return absl::OkStatus();
            }));
  // More than "on", such as waiting for a standby, is left as it is.
  return Execute(
      "SELECT set_config('synchronous_commit', 'on', false) WHERE "
      "current_setting('synchronous_commit') IN ('off', 'local')");
}

absl::Status PostgresConnection::Send(const std::string& sql, const OnRow* on_row) {
  if (lost_) return absl::UnavailableError(absl::StrCat(name_, ": the connection is lost"));
  pqxx::result result;
  try {
    pqxx::nontransaction work(link_->connection);
    result = work.exec(sql);
  } catch (const pqxx::insufficient_privilege& error) {
    // libpqxx 6.4 leaves the state of this one empty.
    return StatusOfState(name_, "42501", FirstLine(error.what()));
  } catch (const pqxx::sql_error& error) {
    lost_ = IsLoss(error.sqlstate());
    return StatusOfState(name_, error.sqlstate().empty() ? "08000" : error.sqlstate(),
                         FirstLine(error.what()));
  } catch (const std::exception& error) {
    lost_ = true;
    return absl::UnavailableError(
        absl::StrCat(name_, ": the connection is lost: ", FirstLine(error.what())));
  }
  if (on_row == nullptr) return absl::OkStatus();
  for (const pqxx::row& row : result) RETURN_IF_ERROR((*on_row)(PostgresRow(row)));
  return absl::OkStatus();
}

absl::Status PostgresConnection::Execute(const std::string& sql) { return Send(sql, nullptr); }

absl::StatusOr<std::string> PostgresConnection::Quoted(const SqlValue& value) {
  switch (value.type) {
    case SqlType::kInteger:
      return absl::StrCat(value.integer);
    case SqlType::kBytes:
      return absl::StrCat("'\\x", absl::BytesToHexString(value.bytes), "'");
    case SqlType::kText:
      break;
  }
  if (absl::StrContains(value.bytes, '\0')) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": a name with a NUL character cannot be stored"));
  }
  return absl::StrCat("'", absl::StrReplaceAll(value.bytes, {{"'", "''"}}), "'");
}

absl::StatusOr<std::string> PostgresConnection::CallOf(const std::string& sql,
                                                       const SqlValues& values) {
  auto known = prepared_.find(sql);
  if (known == prepared_.end()) {
    const std::string name = absl::StrCat("s", prepared_.size() + 1);
    RETURN_IF_ERROR(Execute(absl::StrCat("PREPARE ", name, " AS ", sql)));
    known = prepared_.emplace(sql, name).first;
  }
  std::string call = absl::StrCat("EXECUTE ", known->second);
  absl::string_view separator = "(";
  for (const SqlValue& value : values) {
    ASSIGN_OR_RETURN(const std::string quoted, Quoted(value));
    absl::StrAppend(&call, separator, quoted);
    separator = ", ";
  }
  if (!values.empty()) call.push_back(')');
  return call;
}

absl::Status PostgresConnection::Run(const std::string& sql, const SqlValues& values) {
  ASSIGN_OR_RETURN(const std::string call, CallOf(sql, values));
  return Send(call, nullptr);
}

absl::Status PostgresConnection::Query(const std::string& sql, const SqlValues& values,
                                       const OnRow& on_row) {
  ASSIGN_OR_RETURN(const std::string call, CallOf(sql, values));
  return Send(call, &on_row);
}

absl::Status PostgresConnection::RunAll(const std::vector<SqlCall>& calls) {
  std::string script = "BEGIN;";
  for (const SqlCall& each : calls) {
    ASSIGN_OR_RETURN(const std::string call, CallOf(each.sql, each.values));
    absl::StrAppend(&script, call, ";");
  }
  script += "COMMIT";
  absl::Status status = Execute(script);
  in_transaction_ = !status.ok();
  Rollback();
  return status;
}

absl::StatusOr<std::vector<SqlTable>> PostgresConnection::Tables() {
  std::vector<SqlTable> tables;
  RETURN_IF_ERROR(
      Query("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE "
            "table_schema = current_schema() AND table_name NOT IN ('store_writer', "
            "'controller_lease', 'controller_terms') ORDER BY table_name COLLATE \"C\", "
            "ordinal_position",
            {}, [&tables](const SqlRow& row) {
              if (tables.empty() || tables.back().name != row.Bytes(0)) {
                tables.push_back({.name = row.Bytes(0)});
              }
              const std::string type = row.Bytes(2);
              tables.back().columns.push_back({row.Bytes(1), type == "bigint"  ? SqlType::kInteger
                                                             : type == "bytea" ? SqlType::kBytes
                                                                               : SqlType::kText});
              return absl::OkStatus();
            }));
  return tables;
}

std::string PostgresConnection::InDialect(const std::string& sql) const {
  // Names are ordered by their bytes, as everywhere else, whatever the database's language is.
  return absl::StrReplaceAll(sql, {{"TEXT", "TEXT COLLATE \"C\""},
                                   {"INTEGER", "BIGINT"},
                                   {"BLOB", "BYTEA"},
                                   {" WITHOUT ROWID", ""}});
}

absl::Status PostgresConnection::Begin() {
  in_transaction_ = true;
  const absl::Status status = Execute(absl::StrCat("BEGIN; ", kSchemaLock));
  if (status.ok()) return status;
  Rollback();
  return base::Annotate(status, "wait for other processes that change the tables");
}

absl::Status PostgresConnection::BeginRead() {
  in_transaction_ = true;
  return Execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

absl::Status PostgresConnection::Commit() {
  RETURN_IF_ERROR(Execute("COMMIT"));
  in_transaction_ = false;
  return absl::OkStatus();
}

void PostgresConnection::Rollback() {
  if (!std::exchange(in_transaction_, false) || lost_) return;
  // Outside a transaction this is nothing but a warning that nobody sees.
  Execute("ROLLBACK").IgnoreError();
}

}  // namespace fairlead::store
