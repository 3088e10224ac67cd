// The PostgreSQL database that several controllers share, and what it has seen of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "integration/chaos/invariants.h"
#include "integration/testing/database_link.h"

namespace fairlead::store {
class PostgresCluster;
}

namespace fairlead::chaos {

// A new database on the program's own server. Confined to one thread.
class Database {
 public:
  explicit Database(int controllers);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Why there is none; empty: there is one.
  const std::string& trouble() const { return trouble_; }
  // The address for a controller, from 1.
  std::string Address(int controller) const;
  // From now on each action that comes into the store is noted, in the transaction that writes it.
  // Requires: the tables are there.
  void Watch() const;
  // Whether a controller has made its tables.
  bool HasTables() const;

  void Crash();
  void Start();
  void Cut(int controller) { LinkOf(controller).Cut(); }
  void Mend(int controller) { LinkOf(controller).Mend(); }

  std::vector<SeenOffice> Offices() const;
  std::vector<IssuedAction> Issued() const;

 private:
  integration::DatabaseLink& LinkOf(int controller) const {
    return *links_.at(static_cast<std::size_t>(controller - 1));
  }
  // Rows of fields.
  std::vector<std::vector<std::string>> Ask(const std::string& sql) const;

  store::PostgresCluster* cluster_ = nullptr;
  std::string trouble_;
  std::string name_;
  bool down_ = false;
  std::vector<std::unique_ptr<integration::DatabaseLink>> links_;
};

}  // namespace fairlead::chaos
