#include "controller/election/elector.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/clock.h"
#include "base/log.h"

namespace fairlead::election {
namespace {

// Of what is told to the database at the end.
constexpr absl::Duration kLastPatience = absl::Seconds(1);
// How often an end that takes its time is looked at.
constexpr absl::Duration kLook = absl::Milliseconds(100);

// Waiting and renewing are real time, whatever the controller's clock says.
absl::Duration Uptime() { return base::Clock::Real().Uptime(); }

}  // namespace

std::string Standing::Text() const {
  if (!has_other && !trouble.ok()) {
    return absl::StrCat("the database does not answer: ", trouble.message());
  }
  if (!sight.has_value() || sight->term == 0) return "no controller has been active yet";
  return absl::StrCat(sight->claim.address, has_other ? " is active" : " was active", " in term ",
                      sight->term);
}

Elector::Elector(std::unique_ptr<store::Lease> lease, ElectorOptions options)
    : options_(std::move(options)),
      lease_(std::move(lease)),
      candidacy_(options_.terms, options_.claim.holder) {}

Elector::~Elector() { Stop(); }

void Elector::Start() {
  thread_ = std::thread([this] { Run(); });
  watch_ = std::thread([this] { Watch(); });
}

void Elector::Stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  if (watch_.joinable()) watch_.join();
}

Standing Elector::standing() const {
  base::MutexLock lock(mutex_);
  return StandingLocked();
}

Standing Elector::StandingLocked() const {
  Standing standing = standing_;
  standing.has_other = standing.sight.has_value() &&
                       standing.sight->claim.holder != options_.claim.holder &&
                       Uptime() < seen_at_ + standing.sight->left;
  return standing;
}

Standing Elector::AwaitFirst() {
  base::MutexLock lock(mutex_);
  while (!answered_) changed_.Wait(mutex_);
  return StandingLocked();
}

bool Elector::InOffice(int64_t term) const {
  return term_.load() == term && absl::ToInt64Nanoseconds(Uptime()) < valid_until_.load();
}

void Elector::NoteEnded(int64_t term, absl::Duration pause) {
  base::MutexLock lock(mutex_);
  if (acting_ != term) return;
  const absl::Duration now = Uptime();
  const bool released = candidacy_.term() == term;
  if (pause > absl::ZeroDuration() || released) candidacy_.Withdraw(now + pause);
  PublishLocked();
  acting_ = 0;
  standing_.ending = 0;
  ended_.push_back({term, released ? now : over_since_.value_or(now), released});
  over_since_.reset();
  changed_.SignalAll();
}

bool Elector::PublishLocked() {
  const int64_t before = standing_.term;
  const int64_t term = candidacy_.term();
  const absl::Duration valid_until = absl::Nanoseconds(valid_until_.load());
  valid_until_ = term == 0 ? 0 : absl::ToInt64Nanoseconds(candidacy_.valid_until());
  term_ = term;
  standing_.term = term;
  standing_.ending = term == 0 ? acting_ : 0;
  if (term == before) return false;
  if (before != 0 && acting_ == before && !over_since_.has_value()) {
    noticed_ = Uptime();
    over_since_ = std::min(noticed_, valid_until);
    base::LogWarning("election", "no more acting in term ", before);
  }
  if (term != 0) {
    acting_ = term;
    over_since_.reset();
    base::LogInfo("election", "in office, term ", term);
  }
  return true;
}

absl::StatusOr<store::LeaseSight> Elector::Ask(int64_t term, bool stands, absl::Duration patience) {
  if (term != 0) return lease_->Renew(options_.claim, term, options_.terms.lease, patience);
  if (stands) return lease_->Acquire(options_.claim, options_.terms.lease, patience);
  return lease_->Look(patience);
}

void Elector::AskLocked() {
  const absl::Duration sent = Uptime();
  const absl::Duration patience = candidacy_.PatienceAt(sent);
  const int64_t term = candidacy_.term();
  const bool stands = candidacy_.IsStanding(sent);
  mutex_.Unlock();
  const absl::StatusOr<store::LeaseSight> answer = Ask(term, stands, patience);
  mutex_.Lock();
  if (candidacy_.term() == term) candidacy_.OnAnswer(sent, Uptime(), answer);
  answered_ = true;
  if (answer.ok()) {
    if (!standing_.trouble.ok()) base::LogInfo("election", "the database answers again");
    standing_.sight = *answer;
    seen_at_ = Uptime();
  } else if (standing_.trouble.ok()) {
    base::LogWarning("election", "the lease: ", answer.status().message());
  }
  standing_.trouble = answer.status();
  changed_.SignalAll();
}

void Elector::ReportLocked() {
  const std::vector<Ended> ended = ended_;
  mutex_.Unlock();
  std::size_t told = 0;
  for (const Ended& one : ended) {
    absl::Status status;
    if (one.released) status = lease_->Release(one.term, kLastPatience);
    status.Update(lease_->NoteStopped(one.term, Uptime() - one.at, kLastPatience));
    if (!status.ok()) break;
    ++told;
  }
  mutex_.Lock();
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(told));
  if (told < ended.size()) report_at_ = Uptime() + options_.terms.retry();
}

void Elector::CheckOverrunLocked() {
  if (!over_since_.has_value() || Uptime() - noticed_ < options_.longest_end) return;
  over_since_.reset();
  base::LogError("election", "what acted in term ", acting_, " does not end; ending the process");
  mutex_.Unlock();
  if (options_.on_overrun) options_.on_overrun();
  mutex_.Lock();
}

bool Elector::ExpireLocked() {
  candidacy_.Expire(Uptime());
  const bool changed = PublishLocked();
  CheckOverrunLocked();
  return changed;
}

void Elector::TellLocked() {
  if (options_.on_change == nullptr) return;
  mutex_.Unlock();
  options_.on_change();
  mutex_.Lock();
}

void Elector::Watch() {
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    if (ExpireLocked()) TellLocked();
    const absl::Duration left =
        candidacy_.term() == 0 ? options_.terms.lease : candidacy_.valid_until() - Uptime();
    const absl::Duration pause = over_since_.has_value() ? kLook : left;
    if (!stopping_ && pause > absl::ZeroDuration()) changed_.WaitFor(mutex_, pause);
  }
}

void Elector::Run() {
  base::MutexLock lock(mutex_);
  while (!stopping_) {
    bool changed = ExpireLocked();
    // Not before the last office has ended here, and its end is told.
    if (!ended_.empty() && Uptime() >= report_at_) ReportLocked();
    const bool may_ask = candidacy_.term() != 0 || acting_ == 0;
    if (may_ask && candidacy_.IsDue(Uptime())) {
      AskLocked();
      changed = PublishLocked() || changed;
    }
    if (changed) TellLocked();
    absl::Duration pause = candidacy_.NextAt() - Uptime();
    if (candidacy_.term() == 0 && acting_ != 0) pause = kLook;
    if (!ended_.empty()) pause = std::min(pause, report_at_ - Uptime());
    if (!stopping_ && pause > absl::ZeroDuration()) changed_.WaitFor(mutex_, pause);
  }
  if (!ended_.empty()) ReportLocked();
  // An office that nobody has begun to act in.
  const int64_t term = candidacy_.term();
  if (term == 0) return;
  mutex_.Unlock();
  const absl::Status released = lease_->Release(term, kLastPatience);
  mutex_.Lock();
  if (!released.ok()) base::LogWarning("election", "the lease is kept: ", released.message());
}

}  // namespace fairlead::election
