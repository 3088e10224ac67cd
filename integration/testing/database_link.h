// The way from one controller to its PostgreSQL server, which a test cuts.
#pragma once

#include <list>
#include <string>
#include <thread>

#include "base/mutex.h"

namespace fairlead::integration {

// A relay between two unix sockets. Cut, it passes nothing on in either direction and says nothing
// about it, as a network that loses all packets; what was sent meanwhile arrives when it is mended.
// Thread-safe.
class DatabaseLink {
 public:
  // To the server whose socket is in `folder`, for `port`.
  DatabaseLink(const std::string& folder, int port);
  ~DatabaseLink();
  DatabaseLink(const DatabaseLink&) = delete;
  DatabaseLink& operator=(const DatabaseLink&) = delete;

  // The address of a database in that folder, through this link.
  std::string Through(const std::string& url) const;

  void Cut() { Set(true); }
  void Mend() { Set(false); }

 private:
  // One connection: what one end has sent goes to the other.
  struct Pair {
    int ends[2] = {-1, -1};
  };

  void Set(bool cut) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Accept();
  // False when one end is closed.
  static bool Pass(int from, int to);

  const std::string server_folder_;
  const int port_;
  std::string folder_;
  int listener_ = -1;
  // Written to when something is to be seen.
  int wake_[2] = {-1, -1};
  // Confined to the thread.
  std::list<Pair> pairs_;
  base::Mutex mutex_;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::integration
