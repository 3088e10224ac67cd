// The lease in a PostgreSQL database: tables controller_lease and controller_terms.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/lease.h"
#include "controller/store/postgres_address.h"

namespace fairlead::store {

// A connection of its own, made again by the next call after a failure. It never waits longer than
// it is told, whatever the network does: whoever renews has to know in time that it did not.
// controller_terms keeps of each term who held it, and from when until when.
class PostgresLease final : public Lease {
 public:
  // Makes the tables; in an empty database those of the store too. FailedPrecondition when a newer
  // program has written it. `now` is for the record of migrations.
  static absl::StatusOr<std::unique_ptr<PostgresLease>> Open(const PostgresAddress& address,
                                                             absl::Time now);
  ~PostgresLease() override;

  absl::StatusOr<LeaseSight> Look(absl::Duration patience) override;
  absl::StatusOr<LeaseSight> Acquire(const LeaseClaim& claim, absl::Duration life,
                                     absl::Duration patience) override;
  absl::StatusOr<LeaseSight> Renew(const LeaseClaim& claim, int64_t term, absl::Duration life,
                                   absl::Duration patience) override;
  absl::Status Release(int64_t term, absl::Duration patience) override;
  absl::Status NoteStopped(int64_t term, absl::Duration ago, absl::Duration patience) override;

 private:
  class Link;
  using Row = std::vector<std::string>;
  using Rows = std::vector<Row>;

  explicit PostgresLease(PostgresAddress address);
  // `end` is of the machine's uptime. The link is dropped after a failure.
  absl::StatusOr<Rows> Ask(const std::string& sql, const std::vector<std::string>& values,
                           absl::Duration end);
  absl::StatusOr<LeaseSight> LookUntil(absl::Duration end);

  PostgresAddress address_;
  std::unique_ptr<Link> link_;
};

}  // namespace fairlead::store
