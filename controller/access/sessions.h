// Who is logged in.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/access/secret.h"
#include "controller/store/store.h"

namespace fairlead::access {

struct Session {
  std::string user;
  absl::Time begun;
  absl::Time expires;
  // Groups that the OpenID provider's claims make; absent: a local user.
  std::optional<std::vector<std::string>> claimed_groups;
};

struct SessionLimits {
  absl::Duration life = absl::Hours(12);
  // At a time; at least 1.
  std::size_t most = 10'000;
};

// In memory and in the store, which has hashes of the tokens. What the store does not take counts
// here all the same, and goes with the next write: until then a restart knows nothing of it.
// Thread-safe: who asks does not wait for those who write, who take turns.
class Sessions {
 public:
  // Goes on with those of the image that have not expired at `now`, and whose user is still as at
  // their beginning. `store` outlives it.
  Sessions(const store::StoreImage& image, store::Store& store, absl::Time now,
           const SessionLimits& limits = {});

  struct Opened {
    std::string token;
    absl::Time expires;
  };
  // Stored when it returns, unless a warning in the log says why not. The oldest goes when there
  // are too many. Blocks on the store.
  Opened Open(const std::string& user, absl::Time now,
              std::optional<std::vector<std::string>> claimed_groups = std::nullopt)
      ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // Nothing when it is over, or was never.
  std::optional<Session> Find(const Secret& token, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Both end them at once, then block on the store.
  void End(const std::string& id) ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);
  // All of the user but one, which may be empty.
  void EndAllOf(const std::string& user, const std::string& but)
      ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);

 private:
  struct Entry {
    Session session;
    std::string secret_hash;
  };
  // By id.
  using Entries = std::map<std::string, Entry>;

  // Returns the one behind it.
  Entries::iterator EndLocked(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndExpiredLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Until there are no more than so many.
  void EndOldestLocked(std::size_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  store::StoreBatch UnwrittenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Stores what is not stored yet.
  void Write() ABSL_LOCKS_EXCLUDED(write_mutex_, mutex_);

  const SessionLimits limits_;
  store::Store& store_;
  // Held while the store works.
  base::Mutex write_mutex_;
  base::Mutex mutex_ ABSL_ACQUIRED_AFTER(write_mutex_);
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  // Of entries that the store may not have.
  std::set<std::string> unwritten_ ABSL_GUARDED_BY(mutex_);
  // Ids that the store may still have, and when they expire.
  std::map<std::string, absl::Time> ended_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::access
