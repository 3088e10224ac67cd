// Keeps one controller's claim to the lease alive, and says whether it is in office.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/election/candidacy.h"
#include "controller/store/lease.h"

namespace fairlead::election {

// What is known of the office now.
struct Standing {
  // Of our own office; 0 when we are not in it.
  int64_t term = 0;
  // Of our last office, while NoteEnded is awaited; 0 otherwise.
  int64_t ending = 0;
  // The last look at the lease; absent before the first one.
  std::optional<store::LeaseSight> sight;
  // OK, or why the last question was not answered.
  absl::Status trouble;
  // Another one is in office, as far as is known: what was seen of it is not over.
  bool has_other = false;

  // Who is to be asked or blamed, in words.
  std::string Text() const;
};

struct ElectorOptions {
  store::LeaseClaim claim;
  ElectionTerms terms;
  // The office began or ended. Called on the elector's threads; returns at once.
  std::function<void()> on_change;
  // What acted in an office that has ended must have ended itself after so long,
  absl::Duration longest_end = absl::Seconds(10);
  // or this is called: it ends the process.
  std::function<void()> on_overrun;
};

// Thread-safe. Two threads of its own: one asks the database, and the other one sees to it that an
// office ends in time, however long a question takes (names are looked up without a limit). While
// what acted in the last office has not ended, it does not stand again.
class Elector {
 public:
  Elector(std::unique_ptr<store::Lease> lease, ElectorOptions options);
  // Stops.
  ~Elector();
  Elector(const Elector&) = delete;
  Elector& operator=(const Elector&) = delete;

  void Start();
  // Gives the office up at the database, so that another one can have it at once. What acts must
  // have ended before.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  Standing standing() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits for the first answer of the database, or its absence.
  Standing AwaitFirst() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether it may act in that term, at this moment. Costs two reads.
  bool InOffice(int64_t term) const;
  // What acted in that term has ended. With a `pause` it gives the office up, if it has it still,
  // and lets others go first; it looks who is in office meanwhile.
  void NoteEnded(int64_t term, absl::Duration pause = absl::ZeroDuration())
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Of an office that is over here.
  struct Ended {
    int64_t term = 0;
    absl::Duration at;
    bool released = false;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the office when its time is over, and the process when that does not help. True when the
  // standing is another.
  bool ExpireLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks the database, without the lock.
  void AskLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<store::LeaseSight> Ask(int64_t term, bool stands, absl::Duration patience)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the database of offices that ended.
  void ReportLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As of now.
  Standing StandingLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes what candidacy_ says known. True when the standing is another.
  bool PublishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckOverrunLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ElectorOptions options_;
  // Confined to the thread, after Start; to Stop's caller after it.
  const std::unique_ptr<store::Lease> lease_;
  // For InOffice: nanoseconds of uptime, and the term.
  std::atomic<int64_t> valid_until_{0};
  std::atomic<int64_t> term_{0};

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  Candidacy candidacy_ ABSL_GUARDED_BY(mutex_);
  Standing standing_ ABSL_GUARDED_BY(mutex_);
  // When the sight was.
  absl::Duration seen_at_ ABSL_GUARDED_BY(mutex_);
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  // What acts, or has not ended yet; 0 when nothing does.
  int64_t acting_ ABSL_GUARDED_BY(mutex_) = 0;
  // Since when it may not act, and when that was seen: a process that was stopped sees it late.
  std::optional<absl::Duration> over_since_ ABSL_GUARDED_BY(mutex_);
  absl::Duration noticed_ ABSL_GUARDED_BY(mutex_);
  std::vector<Ended> ended_ ABSL_GUARDED_BY(mutex_);
  absl::Duration report_at_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
  std::thread watch_;
};

}  // namespace fairlead::election
