#include "controller/access/lockout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "controller/access/address.h"

namespace fairlead::access {
namespace {

constexpr absl::string_view kUserPrefix = "user ";

std::string UserKey(const std::string& user) { return absl::StrCat(kUserPrefix, user); }
std::string AddressKey(const std::string& address) {
  return absl::StrCat("address ", SiteOf(address));
}

}  // namespace

absl::Status Lockout::Check(const std::string& user, const std::string& address,
                            absl::Duration uptime) const {
  absl::Duration until;
  {
    base::MutexLock lock(mutex_);
    for (const std::string& key :
         {user.empty() ? "" : UserKey(user), address.empty() ? "" : AddressKey(address)}) {
      const auto found = entries_.find(key);
      if (found != entries_.end()) until = std::max(until, found->second.blocked_until);
    }
  }
  if (until <= uptime) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("too many failed attempts; try again in ",
                   absl::FormatDuration(absl::Ceil(until - uptime, absl::Seconds(1)))));
}

void Lockout::CountLocked(const std::string& key, int free, absl::Duration uptime) {
  Entry& entry = entries_[key];
  if (uptime - entry.last > policy_.memory) entry = Entry();
  ++entry.failures;
  entry.last = uptime;
  const int beyond = entry.failures - free;
  if (beyond <= 0) return;
  absl::Duration wait = policy_.first_wait;
  for (int i = 1; i < beyond && wait < policy_.longest_wait; ++i) wait *= 2;
  entry.blocked_until = uptime + std::min(wait, policy_.longest_wait);
}

void Lockout::NoteFailure(const std::string& user, const std::string& address,
                          absl::Duration uptime) {
  base::MutexLock lock(mutex_);
  if (!user.empty()) CountLocked(UserKey(user), policy_.free_of_a_user, uptime);
  if (!address.empty()) CountLocked(AddressKey(address), policy_.free_of_an_address, uptime);
  if (entries_.size() <= policy_.most) return;
  std::erase_if(entries_, [this, uptime](const auto& entry) {
    return uptime - entry.second.last > policy_.memory;
  });
  while (entries_.size() > policy_.most) {
    // Addresses first: who has many must not make the failures of a user forgotten.
    const auto rank = [](const auto& entry) {
      return std::pair(absl::StartsWith(entry.first, kUserPrefix), entry.second.last);
    };
    entries_.erase(
        std::min_element(entries_.begin(), entries_.end(),
                         [&rank](const auto& a, const auto& b) { return rank(a) < rank(b); }));
  }
}

void Lockout::NoteSuccess(const std::string& user) {
  base::MutexLock lock(mutex_);
  entries_.erase(UserKey(user));
}

bool RateLimit::Take(absl::Duration uptime) {
  base::MutexLock lock(mutex_);
  if (!begun_) left_ = at_once_;
  if (begun_) left_ += absl::ToDoubleSeconds(uptime - last_) / 60.0 * per_minute_;
  begun_ = true;
  last_ = uptime;
  left_ = std::min(left_, at_once_);
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

}  // namespace fairlead::access
