// Keeps the sources up to date: fetches, reads, hands snapshots on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/loop/observer.h"
#include "controller/loop/repo_mirrors.h"
#include "controller/loop/source_loader.h"
#include "controller/loop/work_queue.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/state.pb.h"
#include "sync/desired.h"
#include "sync/git/fetcher.h"

namespace fairlead::loop {

using SnapshotPointer = std::shared_ptr<const sync::SourceSnapshot>;

struct FetchState {
  absl::Time last_attempt = absl::InfinitePast();
  absl::Time last_success = absl::InfinitePast();
  // Of the last attempt; empty when it was well.
  std::string error;
  // The commit fetched last.
  std::string revision;
};

struct PollerOptions {
  // Mirrors of syncs live below it.
  std::string directory;
  // Those of the repositories of stacks.
  std::string repo_directory;
  // This very program, for the fetch in a child process.
  std::string helper_program;
  // See SourceLoader.
  SourceLoader::Decrypt decrypt;
  // Outlive the poller; absent: none are known.
  const controller::Accounts* accounts = nullptr;
  int workers = 4;
};

// One job per sync at a time; different syncs run side by side. Thread-safe.
class SyncPoller {
 public:
  // `on_snapshot` receives each new revision, from a worker thread; also one again of which another
  // repository or the reason of a closed file of secrets has changed. References outlive the
  // poller.
  SyncPoller(PollerOptions options, base::Clock& clock, base::Random& random, Observer& observer,
             std::function<void(SnapshotPointer, v1::SyncRecord)> on_snapshot,
             std::function<void(const std::string& sync, const absl::Status& why)> on_failure);
  ~SyncPoller();

  // The syncs that exist now, by name, and what was read last of each.
  void SetSyncs(const std::map<std::string, v1::ResourceSync>& syncs);
  void SetRecords(const std::vector<v1::SyncRecord>& records);

  // Fetch soon; what is new goes to `on_snapshot`. False when there is no such sync.
  bool Trigger(const std::string& name);
  // Fetch a repository of stacks soon. False when no stack is read from it.
  bool TriggerRepo(const std::string& url) { return repos_.Trigger(url); }

  // Fetches, reads `revision` (empty: the sync's own) and calls back from a worker thread,
  // without handing it on.
  using Callback = std::function<void(absl::StatusOr<SnapshotPointer>)>;
  void Read(const std::string& name, const std::string& revision, Callback callback);

  // A snapshot that was read with Read is in force now: it is what later revisions are compared
  // with, as if it had gone to `on_snapshot`. Returns the record to keep of it.
  v1::SyncRecord NoteInForce(const sync::SourceSnapshot& snapshot);

  std::map<std::string, FetchState> States() const;
  void Shutdown();

 private:
  struct Request {
    std::string revision;
    Callback callback;
  };
  struct Sync {
    v1::ResourceSync spec;
    std::unique_ptr<git::Mirror> mirror;
    std::unique_ptr<SourceLoader> loader;
    std::string mirror_url;
    FetchState state;
    int failures = 0;
    std::string handed_on;
    // Spec under which it was handed on, and what of other repositories was in it.
    std::string handed_spec;
    std::map<resources::ResourceId, std::string> handed_others;
    // Its ClosedFiles.
    std::string handed_closed;
    // Other repositories have changed since.
    bool reload = false;
    // Of what was handed on last, also before a restart.
    v1::SyncRecord record;
    std::vector<Request> requests;
    bool removed = false;
  };

  void Work(const std::string& name);
  void OnRepoChange(const std::string& name);
  absl::Status OpenMirror(const std::string& name, const std::shared_ptr<Sync>& sync,
                          const std::string& url);
  absl::Status FetchMirror(const v1::ResourceSync& spec, const std::string& url,
                           const std::string& reference, const git::Mirror& mirror);
  // From now on what the loader has asked is kept up to date.
  void FollowRepos(const std::string& name, const v1::ResourceSync& spec,
                   const SourceLoader& loader);
  void HandOn(const std::shared_ptr<Sync>& sync, const v1::ResourceSync& spec,
              SnapshotPointer snapshot);
  void Answer(const std::shared_ptr<Sync>& sync, const v1::ResourceSync& spec,
              const std::vector<Request>& requests, const absl::Status& fetched,
              const std::string& url, const std::string& good_revision);
  v1::SyncRecord NoteLocked(const sync::SourceSnapshot& snapshot, const v1::ResourceSync& spec,
                            Sync& sync) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<Sync> Find(const std::string& name) const;

  const PollerOptions options_;
  base::Clock& clock_;
  base::Random& random_;
  Observer& observer_;
  const std::function<void(SnapshotPointer, v1::SyncRecord)> on_snapshot_;
  const std::function<void(const std::string&, const absl::Status&)> on_failure_;
  mutable base::Mutex mutex_;
  // The fields mirror, loader and mirror_url belong to the worker of the key; the rest is
  // guarded.
  std::map<std::string, std::shared_ptr<Sync>> syncs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SyncRecord> records_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  git::Fetcher fetcher_;
  // Last: their threads use all of the above, and those of the repositories the queue.
  WorkQueue queue_;
  RepoMirrors repos_;
};

}  // namespace fairlead::loop
