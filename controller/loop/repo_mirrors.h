// Keeps the repositories of stacks and builds up to date: fetches, reads, says what has changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/accounts/accounts.h"
#include "controller/loop/repo_source.h"
#include "controller/loop/work_queue.h"
#include "sync/desired.h"
#include "sync/git/fetcher.h"
#include "sync/git/mirror.h"

namespace fairlead::loop {

struct RepoAnswer {
  // Whose files these are; empty: none have been read.
  std::string commit;
  // Equal pointers have equal contents.
  sync::StackFiles files;
  // Why there are none, or why only some of them are sent.
  std::string problem;

  bool operator==(const RepoAnswer&) const = default;
};

// What a sync, or a build, wants of repositories.
struct RepoInterest {
  std::set<RepoQuestion> questions;
  absl::Duration poll_interval = absl::Minutes(1);
  absl::Duration fetch_timeout = absl::Minutes(1);
};

struct RepoMirrorOptions {
  // Mirrors live below it.
  std::string directory;
  // This very program, for the fetch in a child process.
  std::string helper_program;
  // Outlive the mirrors; absent: none are known.
  const controller::Accounts* accounts = nullptr;
  int workers = 2;
};

// One mirror for each address, however many stacks use it; different ones are fetched side by side,
// and none holds up the sync that names it. Thread-safe.
class RepoMirrors {
 public:
  // `on_change` receives the name of a sync some of whose answers have changed, from a worker
  // thread. References outlive the mirrors.
  RepoMirrors(RepoMirrorOptions options, base::Clock& clock, base::Random& random,
              std::function<void(const std::string& sync)> on_change);
  ~RepoMirrors();

  // What is known now, without a fetch.
  RepoAnswer Ask(const RepoQuestion& question) ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on `sync` is told of changes of these answers; an empty set ends that. What has not
  // been fetched yet is fetched at once.
  void SetInterest(const std::string& sync, RepoInterest interest) ABSL_LOCKS_EXCLUDED(mutex_);

  // Fetch soon. False when nobody asks for the repository.
  bool Trigger(const std::string& url) ABSL_LOCKS_EXCLUDED(mutex_);

  void Shutdown();

 private:
  struct Repo {
    // Belongs to the worker while `is_busy`.
    std::unique_ptr<git::Mirror> mirror;
    // Why there is none.
    absl::Status opened;
    bool is_busy = false;
    int failures = 0;
    std::map<RepoQuestion, RepoAnswer> answers;
  };

  // `key` is the address without what it says of the user.
  void Work(const std::string& key);
  std::string DirectoryOf(const std::string& key) const;
  std::shared_ptr<Repo> RepoAt(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Clears away what nobody wants, unless it is being worked on.
  void DropUnwanted(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All that is asked of a repository, and how.
  RepoInterest InterestIn(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // By reference.
  std::map<std::string, absl::Status> FetchAll(const RepoInterest& interest,
                                               const git::Mirror& mirror);
  void Publish(const std::string& key, std::map<RepoQuestion, RepoAnswer> answers)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const RepoMirrorOptions options_;
  base::Clock& clock_;
  base::Random& random_;
  const std::function<void(const std::string&)> on_change_;
  mutable base::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Repo>> repos_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, RepoInterest> interests_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  git::Fetcher fetcher_;
  // Last: its threads use all of the above.
  WorkQueue queue_;
};

// The answer as of what the mirror holds. `before` is the last one, whose contents are kept where
// nothing has changed.
RepoAnswer ReadAnswer(git::Mirror& mirror, const RepoQuestion& question, const RepoAnswer& before);

}  // namespace fairlead::loop
