// When one controller may act: values in, decision out. Times are of the machine's uptime.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "controller/store/lease.h"

namespace fairlead::election {

struct ElectionTerms {
  // How long an office lasts without renewal. At least one second.
  absl::Duration lease = absl::Seconds(3);

  absl::Duration renew_every() const { return lease / 3; }
  // Whoever holds the office stops acting so long before it can move: clocks do not run alike.
  absl::Duration margin() const { return lease / 10; }
  // After a failure.
  absl::Duration retry() const { return lease / 15; }
};

// Not thread-safe. In office it counts from before the question was sent, so it ends here before it
// ends at the database.
class Candidacy {
 public:
  Candidacy(const ElectionTerms& terms, std::string holder)
      : terms_(terms), holder_(std::move(holder)) {}

  // 0 when it is not in office.
  int64_t term() const { return term_; }
  // No more acting from then on. Only in office.
  absl::Duration valid_until() const { return valid_until_; }

  // Whether to ask for the lease at `now`: to renew it in office, else to look, and to acquire it
  // if it stands.
  bool IsDue(absl::Duration now) const { return now >= due_; }
  // Whether it may be elected by a question sent at `now`. Only out of office.
  bool IsStanding(absl::Duration now) const { return now >= stands_from_; }
  // When IsDue or Expire have something to do.
  absl::Duration NextAt() const;
  // How long an answer to a question asked at `now` is worth waiting for.
  absl::Duration PatienceAt(absl::Duration now) const;

  // What the database says, or that it does not, to the question sent at `sent`.
  void OnAnswer(absl::Duration sent, absl::Duration now,
                const absl::StatusOr<store::LeaseSight>& answer);
  // The office ends when its time is over.
  void Expire(absl::Duration now);
  // Gives the office up, and stands again from `until` on. Meanwhile it only looks.
  void Withdraw(absl::Duration until);

 private:
  const ElectionTerms terms_;
  const std::string holder_;
  int64_t term_ = 0;
  absl::Duration valid_until_;
  absl::Duration due_ = -absl::InfiniteDuration();
  absl::Duration stands_from_ = -absl::InfiniteDuration();
};

}  // namespace fairlead::election
