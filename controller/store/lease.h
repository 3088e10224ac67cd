// Which of several controllers may act: a lease at the database, by the database's clock.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace fairlead::store {

// Who asks for the lease, and what others are told of it.
struct LeaseClaim {
  // Of one data directory, for ever.
  std::string holder;
  // Where its gRPC and HTTP ports are reached by the others, "host:port".
  std::string address;
  std::string http_address;
  // Fingerprint of its authority in hexadecimal; empty without TLS.
  std::string authority;
  friend bool operator==(const LeaseClaim&, const LeaseClaim&) = default;
};

// The lease as it was at one moment.
struct LeaseSight {
  // The fencing token: raised with each new office; 0 before the first one.
  int64_t term = 0;
  // Of the present office, or of the last one.
  LeaseClaim claim;
  // Until it may move; negative when it may.
  absl::Duration left;
};

// Confined to one thread. Each call takes at most `patience`, and leaves open after
// DeadlineExceeded or Unavailable whether it was done.
class Lease {
 public:
  virtual ~Lease() = default;
  // Asks for nothing.
  virtual absl::StatusOr<LeaseSight> Look(absl::Duration patience) = 0;
  // A new office for the claim when the lease is free or the holder's own, else only a look. It is
  // ours when the sight says so. Writers of earlier terms are shut out when it returns.
  virtual absl::StatusOr<LeaseSight> Acquire(const LeaseClaim& claim, absl::Duration life,
                                             absl::Duration patience) = 0;
  // Prolongs the office; when it has ended meanwhile, only a look.
  virtual absl::StatusOr<LeaseSight> Renew(const LeaseClaim& claim, int64_t term,
                                           absl::Duration life, absl::Duration patience) = 0;
  // Ends the office at once. Nothing when it has ended already.
  virtual absl::Status Release(int64_t term, absl::Duration patience) = 0;
  // For the record: what acted in that term ended `ago`.
  virtual absl::Status NoteStopped(int64_t term, absl::Duration ago, absl::Duration patience) = 0;
};

}  // namespace fairlead::store
