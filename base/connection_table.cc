#include "base/connection_table.h"

namespace fairlead::base {

ConnectionTable::Answer ConnectionTable::Add(const std::string& address, absl::Duration uptime) {
  Answer answer;
  const auto known = addresses_.find(address);
  if (known != addresses_.end() && known->second.open >= limits_.per_address) {
    if (known->second.waiting.empty()) return answer;
    answer.evicted = known->second.waiting.front();
  } else if (entries_.size() >= limits_.total) {
    if (waiting_.empty()) return answer;
    answer.evicted = waiting_.front();
  }
  if (answer.evicted.has_value()) Remove(*answer.evicted);
  answer.id = ++last_;
  Entry& entry = entries_[last_];
  entry.address = addresses_.try_emplace(address).first;
  ++entry.address->second.open;
  Wait(last_, entry, uptime);
  return answer;
}

void ConnectionTable::Wait(Id id, Entry& entry, absl::Duration uptime) {
  entry.is_waiting = true;
  entry.since = uptime;
  entry.place = waiting_.insert(waiting_.end(), id);
  std::list<Id>& of_address = entry.address->second.waiting;
  entry.place_of_address = of_address.insert(of_address.end(), id);
}

void ConnectionTable::StopWaiting(Entry& entry) {
  if (!entry.is_waiting) return;
  entry.is_waiting = false;
  waiting_.erase(entry.place);
  entry.address->second.waiting.erase(entry.place_of_address);
}

void ConnectionTable::Remove(Id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  StopWaiting(found->second);
  const auto address = found->second.address;
  entries_.erase(found);
  if (--address->second.open == 0) addresses_.erase(address);
}

void ConnectionTable::SetBusy(Id id) {
  const auto found = entries_.find(id);
  if (found != entries_.end()) StopWaiting(found->second);
}

void ConnectionTable::SetWaiting(Id id, absl::Duration uptime) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  StopWaiting(found->second);
  Wait(id, found->second, uptime);
}

std::vector<ConnectionTable::Id> ConnectionTable::TakeOverdue(absl::Duration uptime) {
  std::vector<Id> overdue;
  while (!waiting_.empty()) {
    const Id id = waiting_.front();
    if (uptime - entries_.at(id).since < limits_.patience) break;
    overdue.push_back(id);
    Remove(id);
  }
  return overdue;
}

}  // namespace fairlead::base
