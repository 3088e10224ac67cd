#include "controller/store/store_dump.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/sha256.h"
#include "base/status.h"
#include "controller/store/migrations.h"
#include "controller/store/store_records.h"

namespace fairlead::store {
namespace {

constexpr absl::string_view kMagic = "fairlead-backup 1\n";

std::string HexHash(absl::string_view bytes) { return absl::BytesToHexString(base::Sha256(bytes)); }

absl::string_view NameOf(SqlType type) {
  switch (type) {
    case SqlType::kInteger:
      return "integer";
    case SqlType::kBytes:
      return "bytes";
    case SqlType::kText:
      break;
  }
  return "text";
}

// Each value as LENGTH:BYTES and a comma.
std::string EncodeRow(const SqlValues& row) {
  std::string text;
  for (const SqlValue& value : row) {
    const std::string bytes =
        value.type == SqlType::kInteger ? absl::StrCat(value.integer) : value.bytes;
    absl::StrAppend(&text, bytes.size(), ":", bytes, ",");
  }
  return text;
}

SqlValue ValueOf(SqlType type, std::string bytes, int64_t integer) {
  if (type == SqlType::kInteger) return SqlValue::Integer(integer);
  return type == SqlType::kBytes ? SqlValue::Bytes(std::move(bytes))
                                 : SqlValue::Text(std::move(bytes));
}

std::vector<std::string> ColumnNames(const SqlTable& table) {
  std::vector<std::string> names;
  for (const SqlColumn& column : table.columns) names.push_back(column.name);
  return names;
}

absl::Status ReadTable(SqlSession& session, TableDump& dump) {
  std::vector<std::string> order;
  for (std::size_t i = 1; i <= dump.table.columns.size(); ++i) order.push_back(absl::StrCat(i));
  const std::string sql = absl::StrCat("SELECT ", absl::StrJoin(ColumnNames(dump.table), ", "),
                                       " FROM ", dump.table.name, DumpedRowsOf(dump.table.name),
                                       " ORDER BY ", absl::StrJoin(order, ", "));
  return session.Query(sql, {}, [&dump](const SqlRow& row) {
    SqlValues& values = dump.rows.emplace_back();
    int column = 0;
    for (const SqlColumn& each : dump.table.columns) {
      const bool number = each.type == SqlType::kInteger;
      values.push_back(
          ValueOf(each.type, number ? "" : row.Bytes(column), number ? row.Integer(column) : 0));
      ++column;
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<SqlTable>> TablesOfRecords(SqlSession& session) {
  ASSIGN_OR_RETURN(std::vector<SqlTable> tables, session.Tables());
  std::erase_if(tables, [](const SqlTable& table) { return table.name == "migrations"; });
  return tables;
}

// Leaves a database without tables; those without records may be of any version.
absl::Status MakeRoom(SqlSession& session) {
  ASSIGN_OR_RETURN(const int version, SchemaVersion(session));
  RETURN_IF_ERROR(CheckSchemaIsKnown(session.name(), version, Migrations()));
  ASSIGN_OR_RETURN(const std::vector<SqlTable> tables, session.Tables());
  for (const SqlTable& table : tables) {
    if (table.name == "migrations") continue;
    ASSIGN_OR_RETURN(const int64_t rows,
                     session.QueryInteger(absl::StrCat("SELECT count(*) FROM ", table.name)));
    if (rows > 0) {
      return absl::FailedPreconditionError(
          absl::StrCat(session.name(), " has records already (", rows, " in ", table.name,
                       "); they are never overwritten: name an empty database or a new file"));
    }
  }
  for (const SqlTable& table : tables) {
    RETURN_IF_ERROR(session.Execute(absl::StrCat("DROP TABLE ", table.name)));
  }
  return absl::OkStatus();
}

absl::Status WriteTable(SqlSession& session, const TableDump& dump) {
  std::vector<std::string> marks;
  for (std::size_t i = 1; i <= dump.table.columns.size(); ++i) {
    marks.push_back(absl::StrCat("$", i));
  }
  const std::string sql = absl::StrCat("INSERT INTO ", dump.table.name, " (",
                                       absl::StrJoin(ColumnNames(dump.table), ", "), ") VALUES (",
                                       absl::StrJoin(marks, ", "), ")");
  for (const SqlValues& row : dump.rows) {
    RETURN_IF_ERROR(session.Run(sql, row), absl::StrCat("table ", dump.table.name));
  }
  return absl::OkStatus();
}

// Takes apart the text of a backup, and knows where it is.
class DumpReader {
 public:
  explicit DumpReader(absl::string_view text) : text_(text) {}

  bool Consume(absl::string_view prefix) {
    if (text_.substr(at_, prefix.size()) != prefix) return false;
    at_ += prefix.size();
    return true;
  }
  // Up to and without `end`, which is consumed; nothing when it does not come.
  bool Until(char end, absl::string_view& found) {
    const std::size_t stop = text_.find(end, at_);
    if (stop == absl::string_view::npos) return false;
    found = text_.substr(at_, stop - at_);
    at_ = stop + 1;
    return true;
  }
  // LENGTH:BYTES and a comma.
  bool Value(absl::string_view& found) {
    absl::string_view digits;
    std::size_t length = 0;
    if (!Until(':', digits) || !absl::SimpleAtoi(digits, &length)) return false;
    if (length > text_.size() - at_) return false;
    found = text_.substr(at_, length);
    at_ += length;
    return Consume(",");
  }
  std::size_t at() const { return at_; }
  absl::string_view Since(std::size_t begin) const { return text_.substr(begin, at_ - begin); }
  bool done() const { return at_ == text_.size(); }

 private:
  const absl::string_view text_;
  std::size_t at_ = 0;
};

bool DecodeTable(absl::string_view line, SqlTable& table) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  table.name = std::string(words[0]);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::vector<absl::string_view> parts = absl::StrSplit(words[i], ':');
    if (parts.size() != 2) return false;
    SqlColumn column{std::string(parts[0]), SqlType::kText};
    if (parts[1] == "integer") column.type = SqlType::kInteger;
    if (parts[1] == "bytes") column.type = SqlType::kBytes;
    if (NameOf(column.type) != parts[1]) return false;
    table.columns.push_back(std::move(column));
  }
  return !table.columns.empty();
}

bool DecodeRow(DumpReader& reader, TableDump& dump) {
  const std::size_t begin = reader.at();
  SqlValues& row = dump.rows.emplace_back();
  for (const SqlColumn& column : dump.table.columns) {
    absl::string_view bytes;
    if (!reader.Value(bytes)) return false;
    int64_t number = 0;
    if (column.type == SqlType::kInteger && !absl::SimpleAtoi(bytes, &number)) return false;
    row.push_back(ValueOf(column.type, std::string(bytes), number));
  }
  const std::string hash = HexHash(reader.Since(begin));
  return reader.Consume(hash) && reader.Consume("\n");
}

absl::Status Damaged(const DumpReader& reader, absl::string_view where) {
  return absl::DataLossError(absl::StrCat("the backup is damaged or cut off ", where, " (byte ",
                                          reader.at(), "); take another one"));
}

}  // namespace

std::size_t StoreDump::records() const {
  std::size_t sum = 0;
  for (const TableDump& table : tables) sum += table.rows.size();
  return sum;
}

absl::StatusOr<StoreDump> ReadDump(SqlSession& session) {
  StoreDump dump;
  ASSIGN_OR_RETURN(dump.schema, SchemaVersion(session));
  ASSIGN_OR_RETURN(const std::vector<SqlTable> tables, TablesOfRecords(session));
  for (const SqlTable& table : tables) {
    dump.tables.push_back({table, {}});
    RETURN_IF_ERROR(ReadTable(session, dump.tables.back()));
  }
  return dump;
}

absl::Status WriteDump(SqlSession& session, const StoreDump& dump, absl::Time now) {
  RETURN_IF_ERROR(CheckSchemaIsKnown("the store to be copied", dump.schema, Migrations()));
  RETURN_IF_ERROR(MakeRoom(session));
  std::vector<Migration> steps = Migrations();
  std::erase_if(steps, [&dump](const Migration& step) { return step.version > dump.schema; });
  RETURN_IF_ERROR(MigrateInTransaction(session, steps, now));
  ASSIGN_OR_RETURN(const std::vector<SqlTable> tables, TablesOfRecords(session));
  for (const TableDump& each : dump.tables) {
    // Names of the file go into statements only if they are those of real tables.
    if (std::find(tables.begin(), tables.end(), each.table) == tables.end()) {
      return absl::InvalidArgumentError(absl::StrCat("schema ", dump.schema, " has no table \"",
                                                     absl::CEscape(each.table.name),
                                                     "\" with these columns"));
    }
    RETURN_IF_ERROR(WriteTable(session, each));
  }
  ASSIGN_OR_RETURN(const StoreDump found, ReadDump(session));
  const std::string difference = Difference(dump, found);
  if (!difference.empty()) {
    return absl::DataLossError(absl::StrCat(session.name(), ": what was written is not what is ",
                                            "read back: ", difference, "; nothing is kept of it"));
  }
  return MigrateInTransaction(session, Migrations(), now);
}

std::string Difference(const StoreDump& expected, const StoreDump& found) {
  for (const TableDump& each : expected.tables) {
    const auto same =
        std::find_if(found.tables.begin(), found.tables.end(),
                     [&each](const TableDump& other) { return other.table == each.table; });
    if (same == found.tables.end()) return absl::StrCat("table ", each.table.name, " is missing");
    if (same->rows.size() != each.rows.size()) {
      return absl::StrCat("table ", each.table.name, " has ", same->rows.size(),
                          " records instead of ", each.rows.size());
    }
    for (std::size_t i = 0; i < each.rows.size(); ++i) {
      if (each.rows[i] != same->rows[i]) {
        return absl::StrCat("record ", i + 1, " of table ", each.table.name, " differs");
      }
    }
  }
  return expected.records() == found.records() ? "" : "there are more tables with records";
}

std::string Fingerprint(const StoreDump& dump) {
  std::string all;
  for (const TableDump& table : dump.tables) {
    if (table.rows.empty()) continue;
    absl::StrAppend(&all, table.table.name, "\n");
    for (const SqlValues& row : table.rows) absl::StrAppend(&all, HexHash(EncodeRow(row)), "\n");
  }
  return HexHash(all);
}

std::string EncodeDump(const StoreDump& dump) {
  std::string text = absl::StrCat(kMagic, "schema ", dump.schema, "\n");
  for (const TableDump& each : dump.tables) {
    absl::StrAppend(&text, "table ", each.table.name);
    for (const SqlColumn& column : each.table.columns) {
      absl::StrAppend(&text, " ", column.name, ":", NameOf(column.type));
    }
    absl::StrAppend(&text, "\n");
    for (const SqlValues& values : each.rows) {
      const std::string row = EncodeRow(values);
      absl::StrAppend(&text, "row ", row, HexHash(row), "\n");
    }
  }
  absl::StrAppend(&text, "end ", dump.records(), " ");
  const std::string hash = HexHash(text);
  absl::StrAppend(&text, hash, "\n");
  return text;
}

absl::StatusOr<StoreDump> DecodeDump(absl::string_view text) {
  DumpReader reader(text);
  StoreDump dump;
  absl::string_view word;
  if (!reader.Consume(kMagic)) {
    return absl::InvalidArgumentError(
        "this is no backup of fairlead-controller, or one of a newer version");
  }
  if (!reader.Consume("schema ") || !reader.Until('\n', word) ||
      !absl::SimpleAtoi(word, &dump.schema)) {
    return Damaged(reader, "in its header");
  }
  while (reader.Consume("table ")) {
    TableDump& each = dump.tables.emplace_back();
    if (!reader.Until('\n', word) || !DecodeTable(word, each.table)) {
      return Damaged(reader, "where a table begins");
    }
    while (reader.Consume("row ")) {
      if (!DecodeRow(reader, each)) {
        return Damaged(reader, absl::StrCat("in record ", each.rows.size(), " of table ",
                                            absl::CEscape(each.table.name)));
      }
    }
  }
  std::size_t records = 0;
  if (!reader.Consume("end ") || !reader.Until(' ', word) || !absl::SimpleAtoi(word, &records) ||
      records != dump.records()) {
    return Damaged(reader, "before its end");
  }
  const std::string hash = HexHash(reader.Since(0));
  if (!reader.Consume(hash) || !reader.Consume("\n") || !reader.done()) {
    return Damaged(reader, "at its end");
  }
  return dump;
}

}  // namespace fairlead::store
