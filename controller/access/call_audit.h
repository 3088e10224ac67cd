// What the audit log says of calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/access/audit_log.h"
#include "controller/access/gate.h"
#include "controller/access/lockout.h"

namespace fairlead::access {

// What a call has done to one resource, without secrets.
struct Change {
  // Empty: that of the call.
  std::string resource;
  std::string before;
  std::string after;
  // Lines that differ, each with "-" or "+".
  std::string diff;
  // Commit, spec hash or plan that it is about.
  std::string revision;
};

// Writes records of changes and of refused attempts; those of reading are not kept. Of refused
// attempts more than a few a second are only counted. A record that cannot be stored is logged,
// since what it tells of has happened. Thread-safe; blocks on the disk.
class CallAudit {
 public:
  // Both outlive it.
  CallAudit(AuditLog& log, base::Clock& clock) : log_(log), clock_(clock) {}

  // The call did not get as far as its handler.
  void NoteRefused(const std::string& method, const Admission& admission);
  // An admitted change has ended with `status`; `why` is what the caller gave as a reason.
  void NoteEnded(const std::string& method, const Admission& admission, const absl::Status& status,
                 const std::string& why, const std::vector<Change>& changes);

 private:
  void Append(const std::vector<v1::AuditRecord>& records);
  // False when there are too many of them now. Else sets how many were left out before.
  bool TakeRefusal(uint64_t& left_out) ABSL_LOCKS_EXCLUDED(mutex_);

  AuditLog& log_;
  base::Clock& clock_;
  RateLimit refusals_{/*per_minute=*/120, /*at_once=*/200};
  base::Mutex mutex_;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fairlead::access
