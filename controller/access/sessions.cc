#include "controller/access/sessions.h"

#include <algorithm>
#include <utility>

namespace fairlead::access {

Sessions::Opened Sessions::Open(const std::string& user, absl::Time now,
                                std::optional<std::vector<std::string>> claimed_groups) {
  const Secret secret = NewSecret(kSessionKind);
  const absl::Time expires = now + life_;
  base::MutexLock lock(mutex_);
  std::erase_if(entries_, [now](const auto& entry) { return entry.second.session.expires <= now; });
  while (!entries_.empty() && entries_.size() >= most_) {
    entries_.erase(
        std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
          return a.second.session.begun < b.second.session.begun;
        }));
  }
  entries_[secret.id] = {{user, now, expires, std::move(claimed_groups)}, Sha256(secret.secret)};
  return {secret.Text(), expires};
}

std::optional<Session> Sessions::Find(const Secret& token, absl::Time now) {
  const std::string hash = Sha256(token.secret);
  base::MutexLock lock(mutex_);
  const auto found = entries_.find(token.id);
  if (found == entries_.end() || !EqualBytes(found->second.secret_hash, hash)) return std::nullopt;
  if (found->second.session.expires <= now) {
    entries_.erase(found);
    return std::nullopt;
  }
  return found->second.session;
}

void Sessions::End(const std::string& id) {
  base::MutexLock lock(mutex_);
  entries_.erase(id);
}

void Sessions::EndAllOf(const std::string& user, const std::string& but) {
  base::MutexLock lock(mutex_);
  std::erase_if(entries_, [&user, &but](const auto& entry) {
    return entry.second.session.user == user && entry.first != but;
  });
}

}  // namespace fairlead::access
