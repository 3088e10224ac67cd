// Which connections of a port there may be, and which goes when there are too many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace fairlead::base {

struct ConnectionLimits {
  std::size_t total = 1024;
  std::size_t per_address = 256;
  // A connection may wait so long.
  absl::Duration patience = absl::Seconds(30);
};

// Counts open connections. One that has not done yet what it is there for is waiting: when there
// are too many, the one that waits longest makes room, of its own address first. One that is busy
// stays. Not thread-safe. Times are `Clock::Uptime` and do not go back.
class ConnectionTable {
 public:
  using Id = uint64_t;
  struct Answer {
    // Absent: it is refused, for all others are busy.
    std::optional<Id> id;
    // To be cut; not counted any more.
    std::optional<Id> evicted;
  };

  explicit ConnectionTable(const ConnectionLimits& limits) : limits_(limits) {}

  // A new connection, which waits.
  Answer Add(const std::string& address, absl::Duration uptime);
  // What is not known is ignored by all below.
  void Remove(Id id);
  void SetBusy(Id id);
  // It waits again, from now on.
  void SetWaiting(Id id, absl::Duration uptime);
  // Those that have waited too long, which are not counted any more.
  std::vector<Id> TakeOverdue(absl::Duration uptime);

  std::size_t size() const { return entries_.size(); }
  bool AnyWaiting() const { return !waiting_.empty(); }

 private:
  struct Address {
    std::size_t open = 0;
    std::list<Id> waiting;
  };
  struct Entry {
    std::map<std::string, Address>::iterator address;
    bool is_waiting = false;
    absl::Duration since;
    // Meaningful while it waits.
    std::list<Id>::iterator place;
    std::list<Id>::iterator place_of_address;
  };

  void Wait(Id id, Entry& entry, absl::Duration uptime);
  void StopWaiting(Entry& entry);

  const ConnectionLimits limits_;
  Id last_ = 0;
  std::map<Id, Entry> entries_;
  std::map<std::string, Address> addresses_;
  // The longest first.
  std::list<Id> waiting_;
};

}  // namespace fairlead::base
