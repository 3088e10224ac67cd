// Who is logged in.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/mutex.h"
#include "controller/access/secret.h"

namespace fairlead::access {

struct Session {
  std::string user;
  absl::Time begun;
  absl::Time expires;
  // Groups that the OpenID provider's claims make; absent: a local user.
  std::optional<std::vector<std::string>> claimed_groups;
};

// In memory: a restart ends them all. Thread-safe.
class Sessions {
 public:
  explicit Sessions(absl::Duration life, std::size_t most = 10'000) : life_(life), most_(most) {}

  struct Opened {
    std::string token;
    absl::Time expires;
  };
  // The oldest goes when there are too many.
  Opened Open(const std::string& user, absl::Time now,
              std::optional<std::vector<std::string>> claimed_groups = std::nullopt)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing when it is over, or was never.
  std::optional<Session> Find(const Secret& token, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  // All of the user but one, which may be empty.
  void EndAllOf(const std::string& user, const std::string& but) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    Session session;
    std::string secret_hash;
  };

  const absl::Duration life_;
  const std::size_t most_;
  base::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::access
