// All records of a store but its sessions as a value, and as the text of a backup file. The same
// for each database.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/store/sql_session.h"

namespace fairlead::store {

struct TableDump {
  SqlTable table;
  // In order of their values.
  std::vector<SqlValues> rows;
  friend bool operator==(const TableDump&, const TableDump&) = default;
};

struct StoreDump {
  // Version of the tables.
  int schema = 0;
  // In order of name; without what the database keeps for itself, such as the list of migrations.
  std::vector<TableDump> tables;

  std::size_t records() const;
};

// The caller holds a transaction, so that the dump is of one moment.
absl::StatusOr<StoreDump> ReadDump(SqlSession& session);

// Makes the tables as they were, puts the records in, reads them back, compares, and brings the
// tables to the newest version. The caller holds a transaction and ends it. FailedPrecondition when
// the database has records. DataLoss when what is read back differs.
absl::Status WriteDump(SqlSession& session, const StoreDump& dump, absl::Time now);

// "" when both hold the same records; else the first difference, without values.
std::string Difference(const StoreDump& expected, const StoreDump& found);

// SHA-256 of every record, in hexadecimal: equal for equal records in any database.
std::string Fingerprint(const StoreDump& dump);

// A header, each record with its own SHA-256, the number of records and the SHA-256 of it all.
std::string EncodeDump(const StoreDump& dump);
// DataLoss where the text is damaged or cut off; the message says where.
absl::StatusOr<StoreDump> DecodeDump(absl::string_view text);

}  // namespace fairlead::store
