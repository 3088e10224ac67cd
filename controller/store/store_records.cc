#include "controller/store/store_records.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/store/limits.h"

namespace fairlead::store {
namespace {

// A table whose last column is the serialised record.
struct RecordTable {
  std::string name;
  // Without the last one; the first `keys` of them are the primary key.
  std::vector<std::string> columns;
  std::size_t keys = 1;
  std::string payload = "record";
};

// Kinds of the table access.
constexpr char kJoinToken[] = "join_token";
constexpr char kAgentCertificate[] = "agent_certificate";
constexpr char kUser[] = "user";
constexpr char kApiKey[] = "api_key";
constexpr char kSecret[] = "secret";
constexpr char kSession[] = "session";

// Values of one statement after another, in the same memory.
class ReusedValues {
 public:
  void Clear() { used_ = 0; }
  void AddInteger(int64_t value) { Next(SqlType::kInteger).integer = value; }
  void AddText(const std::string& value) { Next(SqlType::kText).bytes = value; }
  void AddRecord(const google::protobuf::MessageLite& record) {
    record.SerializeToString(&Next(SqlType::kBytes).bytes);
  }
  // Requires: as many values as before the last Clear.
  const SqlValues& all() const { return values_; }

 private:
  SqlValue& Next(SqlType type) {
    if (used_ == values_.size()) values_.emplace_back();
    SqlValue& value = values_[used_++];
    value.type = type;
    return value;
  }

  SqlValues values_;
  std::size_t used_ = 0;
};

// Of all that a batch deletes by one text.
struct KeyedDelete {
  std::string table;
  std::string key;
  const std::vector<std::string> StoreBatch::* keys;
};

const std::vector<KeyedDelete>& KeyedDeletes() {
  static const auto* const deletes = new std::vector<KeyedDelete>{
      {"inventory", "resource", &StoreBatch::delete_inventory},
      {"holds", "resource", &StoreBatch::delete_holds},
      {"actions", "id", &StoreBatch::delete_actions},
      {"syncs", "name", &StoreBatch::delete_syncs},
      {"origins", "resource", &StoreBatch::delete_origins},
      {"approvals", "resource", &StoreBatch::delete_approvals},
      {"attempts", "resource", &StoreBatch::delete_attempts},
      {"spec_history", "resource", &StoreBatch::delete_history},
      {"schedules", "resource", &StoreBatch::delete_schedules},
      {"made", "resource", &StoreBatch::delete_made},
  };
  return *deletes;
}

std::string PutSql(const RecordTable& table) {
  std::vector<std::string> columns = table.columns;
  columns.push_back(table.payload);
  std::vector<std::string> values;
  std::vector<std::string> changes;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    values.push_back(absl::StrCat("$", i + 1));
    if (i >= table.keys) changes.push_back(absl::StrCat(columns[i], " = excluded.", columns[i]));
  }
  const std::vector<std::string> keys(columns.begin(),
                                      columns.begin() + static_cast<std::ptrdiff_t>(table.keys));
  return absl::StrCat("INSERT INTO ", table.name, " (", absl::StrJoin(columns, ", "), ") VALUES (",
                      absl::StrJoin(values, ", "), ") ON CONFLICT (", absl::StrJoin(keys, ", "),
                      ") DO UPDATE SET ", absl::StrJoin(changes, ", "));
}

// `add_keys` adds a record's values of the table's columns.
template <typename Record, typename AddKeys>
absl::Status PutRecords(SqlWriter& writer, const RecordTable& table,
                        const std::vector<Record>& records, AddKeys add_keys) {
  if (records.empty()) return absl::OkStatus();
  const std::string sql = PutSql(table);
  ReusedValues values;
  for (const Record& record : records) {
    values.Clear();
    add_keys(record, values);
    values.AddRecord(record);
    RETURN_IF_ERROR(writer.Run(sql, values.all()));
  }
  return absl::OkStatus();
}

// Of tables that have one key and nothing else beside the record.
template <typename Record>
absl::Status PutByResource(SqlWriter& writer, const std::string& table,
                           const std::vector<Record>& records) {
  return PutRecords(writer, {.name = table, .columns = {"resource"}}, records,
                    [](const Record& r, ReusedValues& values) { values.AddText(r.resource()); });
}

template <typename Record>
absl::Status PutMade(SqlWriter& writer, const std::string& kind,
                     const std::vector<Record>& records) {
  return PutRecords(writer, {.name = "made", .columns = {"resource", "kind"}}, records,
                    [&kind](const Record& r, ReusedValues& values) {
                      values.AddText(r.resource());
                      values.AddText(kind);
                    });
}

// `key_of` gives the key of a record, such as its name.
template <typename Record, typename KeyOf>
absl::Status PutAccess(SqlWriter& writer, const std::string& kind,
                       const std::vector<Record>& records, KeyOf key_of) {
  return PutRecords(writer, {.name = "access", .columns = {"kind", "key"}, .keys = 2}, records,
                    [&kind, key_of](const Record& r, ReusedValues& values) {
                      values.AddText(kind);
                      values.AddText((r.*key_of)());
                    });
}

absl::Status DeleteAccess(SqlWriter& writer, const std::string& kind,
                          const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    RETURN_IF_ERROR(writer.Run("DELETE FROM access WHERE kind = $1 AND key = $2",
                               {SqlValue::Text(kind), SqlValue::Text(key)}));
  }
  return absl::OkStatus();
}

absl::Status WriteAccess(SqlWriter& writer, const StoreBatch& batch) {
  RETURN_IF_ERROR(DeleteAccess(writer, kJoinToken, batch.delete_join_tokens));
  RETURN_IF_ERROR(DeleteAccess(writer, kAgentCertificate, batch.delete_agent_certificates));
  RETURN_IF_ERROR(DeleteAccess(writer, kUser, batch.delete_users));
  RETURN_IF_ERROR(DeleteAccess(writer, kApiKey, batch.delete_api_keys));
  RETURN_IF_ERROR(DeleteAccess(writer, kSecret, batch.delete_secrets));
  RETURN_IF_ERROR(DeleteAccess(writer, kSession, batch.delete_sessions));
  RETURN_IF_ERROR(PutAccess(writer, kJoinToken, batch.put_join_tokens, &v1::JoinToken::id));
  RETURN_IF_ERROR(PutAccess(writer, kAgentCertificate, batch.put_agent_certificates,
                            &v1::AgentCertificate::serial));
  RETURN_IF_ERROR(PutAccess(writer, kUser, batch.put_users, &v1::LocalUser::name));
  RETURN_IF_ERROR(PutAccess(writer, kApiKey, batch.put_api_keys, &v1::ApiKey::id));
  RETURN_IF_ERROR(PutAccess(writer, kSecret, batch.put_secrets, &v1::SecretRecord::name));
  return PutAccess(writer, kSession, batch.put_sessions, &v1::SessionRecord::id);
}

int64_t MicrosOf(const v1::AuditRecord& record) {
  return absl::ToUnixMicros(base::FromProto(record.at()));
}

// No put: an id that is there already is an error.
absl::Status WriteAudit(SqlWriter& writer, const StoreBatch& batch) {
  if (batch.trim_audit_through > 0) {
    RETURN_IF_ERROR(
        writer.Run("DELETE FROM audit WHERE id <= $1",
                   {SqlValue::Integer(static_cast<int64_t>(batch.trim_audit_through))}));
  }
  for (const v1::AuditRecord& record : batch.append_audit) {
    RETURN_IF_ERROR(writer.Run("INSERT INTO audit (id, at, record) VALUES ($1, $2, $3)",
                               {SqlValue::Integer(static_cast<int64_t>(record.id())),
                                SqlValue::Integer(MicrosOf(record)),
                                SqlValue::Bytes(record.SerializeAsString())}),
                    absl::StrCat("append audit record ", record.id()));
  }
  return absl::OkStatus();
}

absl::Status DeleteFailedSpecs(SqlWriter& writer,
                               const std::vector<std::pair<std::string, std::string>>& keys) {
  for (const auto& [resource, hash] : keys) {
    RETURN_IF_ERROR(
        writer.Run("DELETE FROM failed_specs WHERE resource = $1 AND ($2 = '' OR spec_hash = $2)",
                   {SqlValue::Text(resource), SqlValue::Text(hash)}));
  }
  return absl::OkStatus();
}

absl::Status WriteSettings(SqlWriter& writer, const std::map<std::string, std::string>& settings) {
  if (settings.empty()) return absl::OkStatus();
  const std::string sql = PutSql({.name = "settings", .columns = {"key"}, .payload = "value"});
  for (const auto& [key, value] : settings) {
    RETURN_IF_ERROR(writer.Run(sql, {SqlValue::Text(key), SqlValue::Bytes(value)}));
  }
  return absl::OkStatus();
}

absl::Status WriteHistory(SqlWriter& writer, const std::vector<v1::SpecRecord>& records) {
  const std::string trim =
      absl::StrCat("DELETE FROM spec_history WHERE resource = $1 AND spec_hash NOT IN (SELECT ",
                   "spec_hash FROM spec_history WHERE resource = $1 ORDER BY at DESC, spec_hash ",
                   "LIMIT ", kSpecsKept, ")");
  for (const v1::SpecRecord& record : records) {
    RETURN_IF_ERROR(PutRecords(
        writer, {.name = "spec_history", .columns = {"resource", "spec_hash", "at"}, .keys = 2},
        std::vector<v1::SpecRecord>{record}, [](const v1::SpecRecord& r, ReusedValues& values) {
          values.AddText(r.resource());
          values.AddText(r.spec_hash());
          values.AddInteger(absl::ToUnixMicros(base::FromProto(r.at())));
        }));
    RETURN_IF_ERROR(writer.Run(trim, {SqlValue::Text(record.resource())}));
  }
  return absl::OkStatus();
}

absl::Status WriteRuns(SqlWriter& writer, const std::vector<v1::Run>& runs) {
  const std::string trim = absl::StrCat(
      "DELETE FROM runs WHERE resource = $1 AND ended = 1 AND id NOT IN (SELECT id FROM runs ",
      "WHERE resource = $1 AND ended = 1 ORDER BY created DESC, id LIMIT ", kRunsKept, ")");
  for (const v1::Run& run : runs) {
    RETURN_IF_ERROR(
        PutRecords(writer, {.name = "runs", .columns = {"id", "resource", "created", "ended"}},
                   std::vector<v1::Run>{run}, [](const v1::Run& r, ReusedValues& values) {
                     values.AddText(r.id());
                     values.AddText(r.resource());
                     values.AddInteger(absl::ToUnixMicros(base::FromProto(r.created_at())));
                     values.AddInteger(HasEnded(r) ? 1 : 0);
                   }));
    if (HasEnded(run)) RETURN_IF_ERROR(writer.Run(trim, {SqlValue::Text(run.resource())}));
  }
  return absl::OkStatus();
}

// No put: an id that is there already is an error.
absl::Status AppendEvents(SqlWriter& writer, const std::vector<v1::Event>& events) {
  for (const v1::Event& event : events) {
    RETURN_IF_ERROR(
        writer.Run("INSERT INTO events (id, resource, record) VALUES ($1, $2, $3)",
                   {SqlValue::Integer(static_cast<int64_t>(event.id())),
                    SqlValue::Text(event.resource()), SqlValue::Bytes(event.SerializeAsString())}),
        absl::StrCat("append event ", event.id()));
  }
  return absl::OkStatus();
}

absl::Status WriteDeletes(SqlWriter& writer, const StoreBatch& batch) {
  RETURN_IF_ERROR(DeleteFailedSpecs(writer, batch.delete_failed_specs));
  for (const KeyedDelete& each : KeyedDeletes()) {
    const std::vector<std::string>& keys = batch.*each.keys;
    if (keys.empty()) continue;
    const std::string sql = absl::StrCat("DELETE FROM ", each.table, " WHERE ", each.key, " = $1");
    for (const std::string& key : keys) {
      RETURN_IF_ERROR(writer.Run(sql, {SqlValue::Text(key)}));
    }
  }
  return absl::OkStatus();
}

absl::Status PutNamed(SqlWriter& writer, const StoreBatch& batch) {
  RETURN_IF_ERROR(PutByResource(writer, "holds", batch.put_holds));
  RETURN_IF_ERROR(PutByResource(writer, "approvals", batch.put_approvals));
  RETURN_IF_ERROR(PutByResource(writer, "attempts", batch.put_attempts));
  RETURN_IF_ERROR(PutByResource(writer, "schedules", batch.put_schedules));
  RETURN_IF_ERROR(PutMade(writer, "build", batch.put_builds));
  RETURN_IF_ERROR(PutMade(writer, "repo", batch.put_repos));
  return PutMade(writer, "procedure", batch.put_procedures);
}

absl::Status WritePuts(SqlWriter& writer, const StoreBatch& batch) {
  RETURN_IF_ERROR(WriteSettings(writer, batch.put_settings));
  RETURN_IF_ERROR(PutRecords(writer, {.name = "inventory", .columns = {"resource", "server"}},
                             batch.put_inventory,
                             [](const v1::InventoryEntry& r, ReusedValues& values) {
                               values.AddText(r.resource());
                               values.AddText(r.server());
                             }));
  RETURN_IF_ERROR(
      PutRecords(writer, {.name = "failed_specs", .columns = {"resource", "spec_hash"}, .keys = 2},
                 batch.put_failed_specs, [](const v1::FailedSpec& r, ReusedValues& values) {
                   values.AddText(r.resource());
                   values.AddText(r.spec_hash());
                 }));
  RETURN_IF_ERROR(PutRecords(writer, {.name = "actions", .columns = {"id", "resource", "server"}},
                             batch.put_actions,
                             [](const v1::ActionRecord& r, ReusedValues& values) {
                               values.AddText(r.action().id());
                               values.AddText(r.action().resource());
                               values.AddText(r.server());
                             }));
  RETURN_IF_ERROR(
      PutRecords(writer, {.name = "syncs", .columns = {"name"}}, batch.put_syncs,
                 [](const v1::SyncRecord& r, ReusedValues& values) { values.AddText(r.name()); }));
  RETURN_IF_ERROR(PutRecords(writer, {.name = "origins", .columns = {"resource", "origin"}},
                             batch.put_origins,
                             [](const v1::OriginRecord& r, ReusedValues& values) {
                               values.AddText(r.resource());
                               values.AddText(r.origin());
                             }));
  RETURN_IF_ERROR(PutNamed(writer, batch));
  RETURN_IF_ERROR(WriteRuns(writer, batch.put_runs));
  return WriteHistory(writer, batch.put_history);
}

absl::Status Unreadable(const SqlSession& session, const std::string& table,
                        const std::string& key) {
  return absl::DataLossError(
      absl::StrCat(session.name(), ": the record \"", key, "\" of table ", table,
                   " cannot be read; stop the controller and put the last backup in place"));
}

// The statement selects the record, then a text that names it, from `table`.
template <typename Record>
absl::Status ReadRecords(SqlSession& session, const std::string& table, const std::string& sql,
                         const SqlValues& values, std::vector<Record>& records) {
  return session.Query(sql, values, [&](const SqlRow& row) -> absl::Status {
    if (records.emplace_back().ParseFromString(row.Bytes(0))) return absl::OkStatus();
    return Unreadable(session, table, row.Bytes(1));
  });
}

template <typename Record>
absl::Status ReadTable(SqlSession& session, const std::string& table, const std::string& order,
                       std::vector<Record>& records) {
  const std::string name = order.substr(0, order.find(','));
  return ReadRecords(session, table,
                     absl::StrCat("SELECT record, ", name, " FROM ", table, " ORDER BY ", order),
                     {}, records);
}

template <typename Record>
absl::Status ReadMade(SqlSession& session, const std::string& kind, std::vector<Record>& records) {
  return ReadRecords(session, "made",
                     "SELECT record, resource FROM made WHERE kind = $1 ORDER BY resource",
                     {SqlValue::Text(kind)}, records);
}

template <typename Record>
absl::Status ReadAccess(SqlSession& session, const std::string& kind,
                        std::vector<Record>& records) {
  return ReadRecords(session, "access",
                     "SELECT record, key FROM access WHERE kind = $1 ORDER BY key",
                     {SqlValue::Text(kind)}, records);
}

absl::Status ReadIdentities(SqlSession& session, StoreImage& image) {
  RETURN_IF_ERROR(ReadAccess(session, kJoinToken, image.join_tokens));
  RETURN_IF_ERROR(ReadAccess(session, kAgentCertificate, image.agent_certificates));
  RETURN_IF_ERROR(ReadAccess(session, kUser, image.users));
  RETURN_IF_ERROR(ReadAccess(session, kApiKey, image.api_keys));
  RETURN_IF_ERROR(ReadAccess(session, kSecret, image.secrets));
  return ReadAccess(session, kSession, image.sessions);
}

absl::Status ReadTables(SqlSession& session, StoreImage& image) {
  RETURN_IF_ERROR(ReadTable(session, "inventory", "resource", image.inventory));
  RETURN_IF_ERROR(ReadTable(session, "failed_specs", "resource, spec_hash", image.failed_specs));
  RETURN_IF_ERROR(ReadTable(session, "holds", "resource", image.holds));
  RETURN_IF_ERROR(ReadTable(session, "actions", "id", image.actions));
  RETURN_IF_ERROR(ReadTable(session, "syncs", "name", image.syncs));
  RETURN_IF_ERROR(ReadTable(session, "origins", "resource", image.origins));
  RETURN_IF_ERROR(ReadTable(session, "approvals", "resource", image.approvals));
  RETURN_IF_ERROR(ReadTable(session, "attempts", "resource", image.attempts));
  return ReadTable(session, "schedules", "resource", image.schedules);
}

}  // namespace

std::string DumpedRowsOf(const std::string& table) {
  return table == "access" ? absl::StrCat(" WHERE kind <> '", kSession, "'") : "";
}

absl::Status WriteBatch(SqlWriter& writer, const StoreBatch& batch, bool trim) {
  RETURN_IF_ERROR(WriteDeletes(writer, batch));
  RETURN_IF_ERROR(WritePuts(writer, batch));
  RETURN_IF_ERROR(WriteAccess(writer, batch));
  RETURN_IF_ERROR(WriteAudit(writer, batch));
  RETURN_IF_ERROR(AppendEvents(writer, batch.append_events));
  if (!trim) return absl::OkStatus();
  return writer.Run(absl::StrCat("DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY ",
                                 "id DESC LIMIT 1 OFFSET ", kEventsKept, ")"),
                    {});
}

absl::StatusOr<StoreImage> ReadImage(SqlSession& session) {
  StoreImage image;
  RETURN_IF_ERROR(session.Query("SELECT key, value FROM settings", {}, [&image](const SqlRow& row) {
    image.settings[row.Bytes(0)] = row.Bytes(1);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(ReadTables(session, image));
  RETURN_IF_ERROR(ReadMade(session, "build", image.builds));
  RETURN_IF_ERROR(ReadMade(session, "repo", image.repos));
  RETURN_IF_ERROR(ReadMade(session, "procedure", image.procedures));
  RETURN_IF_ERROR(ReadIdentities(session, image));
  RETURN_IF_ERROR(ReadRecords(session, "runs",
                              "SELECT record, id FROM runs WHERE ended = 0 ORDER BY created, id",
                              {}, image.runs));
  ASSIGN_OR_RETURN(const int64_t last,
                   session.QueryInteger("SELECT coalesce(max(id), 0) FROM events"));
  image.last_event_id = static_cast<uint64_t>(last);
  return image;
}

absl::StatusOr<std::vector<v1::Event>> ReadEvents(SqlSession& session, const EventFilter& filter) {
  std::vector<v1::Event> events;
  if (filter.resource.empty()) {
    RETURN_IF_ERROR(ReadRecords(session, "events",
                                "SELECT record, id FROM events ORDER BY id DESC LIMIT $1",
                                {SqlValue::Integer(filter.limit)}, events));
  } else {
    RETURN_IF_ERROR(
        ReadRecords(session, "events",
                    "SELECT record, id FROM events WHERE resource = $1 ORDER BY id DESC LIMIT $2",
                    {SqlValue::Text(filter.resource), SqlValue::Integer(filter.limit)}, events));
  }
  std::reverse(events.begin(), events.end());
  return events;
}

absl::StatusOr<std::vector<v1::Run>> ReadRuns(SqlSession& session, const RunFilter& filter) {
  std::vector<v1::Run> runs;
  RETURN_IF_ERROR(ReadRecords(
      session, "runs",
      "SELECT record, id FROM runs WHERE ($1 = '' OR id = $1) AND ($2 = '' OR "
      "resource = $2) ORDER BY created DESC, id LIMIT $3",
      {SqlValue::Text(filter.id), SqlValue::Text(filter.resource), SqlValue::Integer(filter.limit)},
      runs));
  return runs;
}

absl::StatusOr<std::vector<v1::AuditRecord>> ReadAudit(SqlSession& session,
                                                       const AuditFilter& filter) {
  std::vector<v1::AuditRecord> records;
  const int64_t since =
      filter.since == absl::InfinitePast() ? INT64_MIN : absl::ToUnixMicros(filter.since);
  RETURN_IF_ERROR(session.Query(
      absl::StrCat("SELECT record, id, at FROM audit WHERE id > $1 AND at >= $2 ORDER BY id ",
                   filter.newest ? "DESC" : "ASC", " LIMIT $3"),
      {SqlValue::Integer(static_cast<int64_t>(filter.after_id)), SqlValue::Integer(since),
       SqlValue::Integer(filter.limit)},
      [&](const SqlRow& row) -> absl::Status {
        v1::AuditRecord& record = records.emplace_back();
        if (!record.ParseFromString(row.Bytes(0))) {
          return Unreadable(session, "audit", row.Bytes(1));
        }
        if (!filter.check_times || row.Integer(2) == MicrosOf(record)) return absl::OkStatus();
        return absl::DataLossError(
            absl::StrCat("audit record ", row.Bytes(1),
                         " was changed: the time that it is found by is not its own"));
      }));
  if (filter.newest) std::reverse(records.begin(), records.end());
  return records;
}

absl::StatusOr<std::vector<v1::SpecRecord>> ReadHistory(SqlSession& session,
                                                        const std::string& resource) {
  std::vector<v1::SpecRecord> records;
  RETURN_IF_ERROR(ReadRecords(session, "spec_history",
                              "SELECT record, spec_hash FROM spec_history WHERE resource = $1 "
                              "ORDER BY at DESC, spec_hash",
                              {SqlValue::Text(resource)}, records));
  return records;
}

bool EventTrim::IsDue(std::size_t appends) const {
  return appends > 0 && appended_ + appends >= kEventsBetweenTrims;
}

void EventTrim::Note(std::size_t appends) { appended_ = IsDue(appends) ? 0 : appended_ + appends; }

}  // namespace fairlead::store
