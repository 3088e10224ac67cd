#include "controller/access/sessions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/status/status.h"

#include "base/log.h"
#include "base/proto_time.h"

namespace fairlead::access {
namespace {

// Whether the local user, null where there is none, was neither removed, disabled nor changed
// since; for a name of the provider's, that no local user has taken it.
bool IsOfSameUser(const v1::SessionRecord& record, const v1::LocalUser* user) {
  if (record.has_claimed()) return user == nullptr;
  return user != nullptr && !user->disabled() &&
         base::FromProto(user->password_changed()) <= base::FromProto(record.begun());
}

Session SessionOf(const v1::SessionRecord& record) {
  Session session{.user = record.user(),
                  .begun = base::FromProto(record.begun()),
                  .expires = base::FromProto(record.expires()),
                  .claimed_groups = std::nullopt};
  if (record.has_claimed()) {
    session.claimed_groups.emplace(record.claimed().groups().begin(),
                                   record.claimed().groups().end());
  }
  return session;
}

v1::SessionRecord RecordOf(const std::string& id, const Session& session,
                           const std::string& secret_hash) {
  v1::SessionRecord record;
  record.set_id(id);
  record.set_user(session.user);
  record.set_secret_hash(secret_hash);
  *record.mutable_begun() = base::ToProto(session.begun);
  *record.mutable_expires() = base::ToProto(session.expires);
  if (session.claimed_groups.has_value()) {
    record.mutable_claimed()->mutable_groups()->Assign(session.claimed_groups->begin(),
                                                       session.claimed_groups->end());
  }
  return record;
}

}  // namespace

Sessions::Sessions(const store::StoreImage& image, store::Store& store, absl::Time now,
                   const SessionLimits& limits)
    : limits_(limits), store_(store) {
  std::map<std::string, const v1::LocalUser*> users;
  for (const v1::LocalUser& user : image.users) users[user.name()] = &user;
  base::MutexLock lock(mutex_);
  for (const v1::SessionRecord& record : image.sessions) {
    const auto user = users.find(record.user());
    const auto entry =
        entries_.insert_or_assign(record.id(), Entry{SessionOf(record), record.secret_hash()})
            .first;
    if (!IsOfSameUser(record, user == users.end() ? nullptr : user->second)) EndLocked(entry);
  }
  EndExpiredLocked(now);
  EndOldestLocked(limits_.most);
}

Sessions::Entries::iterator Sessions::EndLocked(Entries::iterator entry) {
  unwritten_.erase(entry->first);
  // Also when it was never stored: a write that failed may have come about.
  ended_[entry->first] = entry->second.session.expires;
  return entries_.erase(entry);
}

void Sessions::EndExpiredLocked(absl::Time now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    entry = entry->second.session.expires <= now ? EndLocked(entry) : std::next(entry);
  }
}

void Sessions::EndOldestLocked(std::size_t most) {
  while (entries_.size() > most) {
    EndLocked(std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
      return a.second.session.begun < b.second.session.begun;
    }));
  }
}

store::StoreBatch Sessions::UnwrittenLocked() const {
  store::StoreBatch batch;
  for (const std::string& id : unwritten_) {
    const Entry& entry = entries_.at(id);
    batch.put_sessions.push_back(RecordOf(id, entry.session, entry.secret_hash));
  }
  for (const auto& [id, expires] : ended_) batch.delete_sessions.push_back(id);
  return batch;
}

void Sessions::Write() {
  base::MutexLock turn(write_mutex_);
  store::StoreBatch batch;
  {
    base::MutexLock lock(mutex_);
    batch = UnwrittenLocked();
  }
  // Who had the turn before has stored all.
  if (batch.empty()) return;
  const absl::Status status = store_.Apply(batch);
  if (!status.ok()) {
    base::LogWarning("access", "sessions are not stored: a restart would forget ",
                     batch.put_sessions.size(), " and bring back up to ",
                     batch.delete_sessions.size(), " that have ended: ", status.message());
  }
  base::MutexLock lock(mutex_);
  if (status.ok()) {
    for (const v1::SessionRecord& record : batch.put_sessions) unwritten_.erase(record.id());
    for (const std::string& id : batch.delete_sessions) ended_.erase(id);
    return;
  }
  // Those that expire first end soonest by themselves.
  while (ended_.size() > limits_.most) {
    ended_.erase(std::min_element(ended_.begin(), ended_.end(), [](const auto& a, const auto& b) {
      return a.second < b.second;
    }));
  }
}

Sessions::Opened Sessions::Open(const std::string& user, absl::Time now,
                                std::optional<std::vector<std::string>> claimed_groups) {
  const Secret secret = NewSecret(kSessionKind);
  const absl::Time expires = now + limits_.life;
  Entry entry{{user, now, expires, std::move(claimed_groups)}, Sha256(secret.secret)};
  {
    base::MutexLock lock(mutex_);
    EndExpiredLocked(now);
    EndOldestLocked(limits_.most - 1);
    entries_[secret.id] = std::move(entry);
    unwritten_.insert(secret.id);
  }
  Write();
  return {secret.Text(), expires};
}

std::optional<Session> Sessions::Find(const Secret& token, absl::Time now) {
  const std::string hash = Sha256(token.secret);
  base::MutexLock lock(mutex_);
  const auto found = entries_.find(token.id);
  if (found == entries_.end() || !EqualBytes(found->second.secret_hash, hash)) return std::nullopt;
  if (found->second.session.expires <= now) {
    EndLocked(found);
    return std::nullopt;
  }
  return found->second.session;
}

void Sessions::End(const std::string& id) {
  {
    base::MutexLock lock(mutex_);
    const auto found = entries_.find(id);
    if (found != entries_.end()) EndLocked(found);
  }
  Write();
}

void Sessions::EndAllOf(const std::string& user, const std::string& but) {
  {
    base::MutexLock lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const bool ends = entry->second.session.user == user && entry->first != but;
      entry = ends ? EndLocked(entry) : std::next(entry);
    }
  }
  Write();
}

}  // namespace fairlead::access
