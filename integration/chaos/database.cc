#include "integration/chaos/database.h"

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "controller/store/testing/postgres_cluster.h"
#include "fairlead/v1/state.pb.h"
#include "gtest/gtest.h"

namespace fairlead::chaos {
namespace {

int64_t NumberOf(const std::string& text) {
  int64_t number = -1;
  EXPECT_TRUE(absl::SimpleAtoi(text, &number)) << text;
  return number;
}

}  // namespace

Database::Database(int controllers) {
  cluster_ = store::PostgresCluster::Shared(trouble_);
  if (cluster_ == nullptr) return;
  name_ = cluster_->NewDatabase();
  for (int i = 0; i < controllers; ++i) {
    links_.push_back(
        std::make_unique<integration::DatabaseLink>(cluster_->folder(), cluster_->port()));
  }
}

Database::~Database() { Start(); }

std::string Database::Address(int controller) const {
  return LinkOf(controller).Through(cluster_->Socket(name_));
}

void Database::Watch() const {
  cluster_->Sql(name_,
                "CREATE SCHEMA chaos; "
                "CREATE TABLE chaos.issued (n BIGSERIAL, id TEXT, record BYTEA, term BIGINT); "
                "CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO chaos.issued (id, record, term) "
                "SELECT NEW.id, NEW.record, term FROM store_writer; RETURN NULL; END $$; "
                "CREATE TRIGGER note AFTER INSERT ON actions FOR EACH ROW "
                "EXECUTE FUNCTION chaos.note()");
}

bool Database::HasTables() const {
  const auto table = Ask("SELECT coalesce(to_regclass('actions')::text, '-')");
  return !table.empty() && table.front().front() == "actions";
}

void Database::Crash() {
  cluster_->Crash();
  down_ = true;
}

void Database::Start() {
  if (!down_) return;
  EXPECT_TRUE(cluster_->Start()) << cluster_->LogTail();
  down_ = false;
}

std::vector<std::vector<std::string>> Database::Ask(const std::string& sql) const {
  std::vector<std::vector<std::string>> rows;
  const std::string text = cluster_->Sql(name_, sql);
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    rows.push_back(absl::StrSplit(line, '|'));
  }
  return rows;
}

std::vector<SeenOffice> Database::Offices() const {
  std::vector<SeenOffice> offices;
  for (const auto& row : Ask("SELECT term, holder, began, expires, stopped FROM controller_terms "
                             "ORDER BY term")) {
    offices.push_back({.term = NumberOf(row.at(0)),
                       .holder = row.at(1),
                       .began = NumberOf(row.at(2)),
                       .expires = NumberOf(row.at(3)),
                       .stopped = NumberOf(row.at(4))});
  }
  return offices;
}

std::vector<IssuedAction> Database::Issued() const {
  std::vector<IssuedAction> actions;
  for (const auto& row :
       Ask("SELECT id, encode(record, 'hex'), term FROM chaos.issued ORDER BY n")) {
    v1::ActionRecord record;
    EXPECT_TRUE(record.ParseFromString(absl::HexStringToBytes(row.at(1)))) << row.at(0);
    actions.push_back(
        {.id = row.at(0), .record_term = record.term(), .writer_term = NumberOf(row.at(2))});
  }
  return actions;
}

}  // namespace fairlead::chaos
