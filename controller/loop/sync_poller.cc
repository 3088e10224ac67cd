#include "controller/loop/sync_poller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/git_login.h"
#include "controller/loop/mirror_folder.h"
#include "sync/git/url.h"

namespace fairlead::loop {
namespace {

// Infinite: never.
absl::Duration PollInterval(const v1::ResourceSync& spec) {
  const absl::Duration interval = base::FromProto(spec.poll_interval());
  return interval == absl::ZeroDuration() ? absl::InfiniteDuration() : interval;
}

}  // namespace

SyncPoller::SyncPoller(
    PollerOptions options, base::Clock& clock, base::Random& random, Observer& observer,
    std::function<void(SnapshotPointer, v1::SyncRecord)> on_snapshot,
    std::function<void(const std::string& sync, const absl::Status& why)> on_failure)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      observer_(observer),
      on_snapshot_(std::move(on_snapshot)),
      on_failure_(std::move(on_failure)),
      fetcher_(options_.helper_program),
      queue_(clock, options_.workers, [this](const std::string& name) { Work(name); }),
      repos_({.directory = options_.repo_directory,
              .helper_program = options_.helper_program,
              .accounts = options_.accounts},
             clock, random, [this](const std::string& name) { OnRepoChange(name); }) {}

SyncPoller::~SyncPoller() { Shutdown(); }

void SyncPoller::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  repos_.Shutdown();
  queue_.Shutdown();
}

void SyncPoller::OnRepoChange(const std::string& name) {
  {
    base::MutexLock lock(mutex_);
    const auto found = syncs_.find(name);
    if (found == syncs_.end()) return;
    found->second->reload = true;
  }
  queue_.Add(name);
}

void SyncPoller::SetRecords(const std::vector<v1::SyncRecord>& records) {
  base::MutexLock lock(mutex_);
  for (const v1::SyncRecord& record : records) records_[record.name()] = record;
}

void SyncPoller::SetSyncs(const std::map<std::string, v1::ResourceSync>& syncs) {
  std::vector<std::string> wake;
  std::vector<std::string> gone;
  {
    base::MutexLock lock(mutex_);
    for (auto at = syncs_.begin(); at != syncs_.end();) {
      if (syncs.contains(at->first)) {
        ++at;
        continue;
      }
      at->second->removed = true;
      gone.push_back(at->first);
      at = syncs_.erase(at);
    }
    for (const auto& [name, spec] : syncs) {
      std::shared_ptr<Sync>& sync = syncs_[name];
      if (sync == nullptr) {
        sync = std::make_shared<Sync>();
        const auto record = records_.find(name);
        if (record != records_.end()) sync->record = record->second;
      } else if (sync->spec.SerializeAsString() == spec.SerializeAsString()) {
        continue;
      }
      sync->spec = spec;
      wake.push_back(name);
    }
  }
  for (const std::string& name : gone) repos_.SetInterest(name, {});
  for (const std::string& name : wake) queue_.Add(name);
}

std::shared_ptr<SyncPoller::Sync> SyncPoller::Find(const std::string& name) const {
  base::MutexLock lock(mutex_);
  const auto found = syncs_.find(name);
  return found == syncs_.end() ? nullptr : found->second;
}

bool SyncPoller::Trigger(const std::string& name) {
  if (Find(name) == nullptr) return false;
  queue_.Add(name);
  return true;
}

void SyncPoller::Read(const std::string& name, const std::string& revision, Callback callback) {
  {
    base::MutexLock lock(mutex_);
    const auto found = syncs_.find(name);
    if (found != syncs_.end()) {
      found->second->requests.push_back({revision, std::move(callback)});
      callback = nullptr;
    }
  }
  if (callback) {
    callback(absl::NotFoundError(absl::StrCat("no resource_sync \"", name, "\"")));
  } else {
    queue_.Add(name);
  }
}

std::map<std::string, FetchState> SyncPoller::States() const {
  base::MutexLock lock(mutex_);
  std::map<std::string, FetchState> states;
  for (const auto& [name, sync] : syncs_) states[name] = sync->state;
  return states;
}

absl::Status SyncPoller::OpenMirror(const std::string& name, const std::shared_ptr<Sync>& sync,
                                    const std::string& url) {
  if (sync->mirror != nullptr && sync->mirror_url == url) return absl::OkStatus();
  sync->loader = nullptr;
  sync->mirror = nullptr;
  const std::string directory = absl::StrCat(options_.directory, "/", FolderOf(name));
  RETURN_IF_ERROR(base::MakeDirectories(options_.directory));
  ASSIGN_OR_RETURN(sync->mirror, git::Mirror::Open(directory));
  sync->loader = std::make_unique<SourceLoader>(
      name, *sync->mirror, [this](const RepoQuestion& question) { return repos_.Ask(question); },
      options_.decrypt);
  sync->mirror_url = url;
  return absl::OkStatus();
}

absl::Status SyncPoller::FetchMirror(const v1::ResourceSync& spec, const std::string& url,
                                     const std::string& reference, const git::Mirror& mirror) {
  git::FetchRequest request;
  RETURN_IF_ERROR(AddAddress(options_.accounts, url, spec.git_account(), &request));
  request.directory = mirror.directory();
  request.reference = reference;
  request.timeout = base::FromProto(spec.fetch_timeout());
  return fetcher_.Fetch(request, [this] {
    base::MutexLock lock(mutex_);
    return stopping_;
  });
}

v1::SyncRecord SyncPoller::NoteInForce(const sync::SourceSnapshot& snapshot) {
  base::MutexLock lock(mutex_);
  const auto found = syncs_.find(snapshot.name);
  return found == syncs_.end() ? RecordOf(snapshot, "", clock_.Now())
                               : NoteLocked(snapshot, found->second->spec, *found->second);
}

v1::SyncRecord SyncPoller::NoteLocked(const sync::SourceSnapshot& snapshot,
                                      const v1::ResourceSync& spec, Sync& sync) {
  sync.state.revision = snapshot.revision;
  sync.handed_on = snapshot.revision;
  sync.handed_spec = spec.SerializeAsString();
  sync.handed_others = snapshot.other_sources;
  sync.handed_closed = ClosedFiles(snapshot);
  sync.record = RecordOf(snapshot, sync.record.good_revision(), clock_.Now());
  return sync.record;
}

void SyncPoller::FollowRepos(const std::string& name, const v1::ResourceSync& spec,
                             const SourceLoader& loader) {
  repos_.SetInterest(name, {.questions = loader.questions(),
                            .poll_interval = PollInterval(spec),
                            .fetch_timeout = base::FromProto(spec.fetch_timeout())});
}

void SyncPoller::HandOn(const std::shared_ptr<Sync>& sync, const v1::ResourceSync& spec,
                        SnapshotPointer snapshot) {
  v1::SyncRecord record;
  FollowRepos(snapshot->name, spec, *sync->loader);
  {
    base::MutexLock lock(mutex_);
    if (sync->removed) return;
    sync->state.revision = snapshot->revision;
    if (sync->handed_on == snapshot->revision && sync->handed_spec == spec.SerializeAsString() &&
        sync->handed_others == snapshot->other_sources &&
        sync->handed_closed == ClosedFiles(*snapshot)) {
      return;
    }
    record = NoteLocked(*snapshot, spec, *sync);
  }
  on_snapshot_(std::move(snapshot), std::move(record));
}

void SyncPoller::Answer(const std::shared_ptr<Sync>& sync, const v1::ResourceSync& spec,
                        const std::vector<Request>& requests, const absl::Status& fetched,
                        const std::string& url, const std::string& good_revision) {
  for (const Request& request : requests) {
    if (sync->loader == nullptr) {
      request.callback(fetched);
      continue;
    }
    const bool own = request.revision.empty();
    if (own && !fetched.ok()) {
      request.callback(fetched);
      continue;
    }
    const std::string reference = own ? git::ReferenceOf(spec) : request.revision;
    if (!own && !sync->mirror->ResolveRevision(reference).ok()) {
      const absl::Status more = FetchMirror(spec, url, reference, *sync->mirror);
      if (!more.ok()) {
        request.callback(more);
        continue;
      }
    }
    absl::StatusOr<SnapshotPointer> read = sync->loader->Load(spec, reference, good_revision);
    // It is or will be in force.
    if (own && read.ok()) FollowRepos((*read)->name, spec, *sync->loader);
    request.callback(std::move(read));
  }
}

void SyncPoller::Work(const std::string& name) {
  const std::shared_ptr<Sync> sync = Find(name);
  if (sync == nullptr) return;
  v1::ResourceSync spec;
  v1::SyncRecord record;
  std::vector<Request> requests;
  bool first = false;
  bool reload = false;
  std::string revision;
  {
    base::MutexLock lock(mutex_);
    spec = sync->spec;
    record = sync->record;
    requests = std::move(sync->requests);
    sync->requests.clear();
    first = sync->handed_on.empty();
    reload = std::exchange(sync->reload, false);
    revision = first ? record.revision() : sync->handed_on;
  }
  const bool for_requests_only = !requests.empty();
  const absl::StatusOr<std::string> url = git::UrlOf(git::FieldsOf(spec));
  absl::Status status = url.status();
  if (status.ok()) status = OpenMirror(name, sync, *url);
  if (status.ok() && (first || reload) && !revision.empty()) {
    // What was read before, also before a restart, is in force until the fetch says otherwise.
    absl::StatusOr<SnapshotPointer> known =
        sync->loader->Load(spec, revision, record.good_revision());
    if (known.ok()) HandOn(sync, spec, *std::move(known));
  }
  const absl::Time started = clock_.Now();
  if (status.ok()) status = FetchMirror(spec, *url, git::ReferenceOf(spec), *sync->mirror);
  SnapshotPointer loaded;
  if (status.ok() && !for_requests_only) {
    absl::StatusOr<SnapshotPointer> read =
        sync->loader->Load(spec, git::ReferenceOf(spec), record.good_revision());
    status = read.status();
    if (read.ok()) loaded = *std::move(read);
  }
  observer_.OnFetched(name, clock_.Now() - started, status);
  absl::Duration next = PollInterval(spec);
  bool failed_newly = false;
  {
    base::MutexLock lock(mutex_);
    sync->state.last_attempt = clock_.Now();
    if (status.ok()) {
      sync->failures = 0;
      sync->state.error.clear();
      sync->state.last_success = clock_.Now();
    } else {
      ++sync->failures;
      failed_newly = sync->state.error != status.message();
      sync->state.error = std::string(status.message());
      next = std::min(next, base::ComputeJitteredDelay(kFailedFetch, sync->failures, random_));
    }
  }
  if (!status.ok() && failed_newly) on_failure_(name, status);
  if (loaded != nullptr) HandOn(sync, spec, std::move(loaded));
  Answer(sync, spec, requests, status, url.ok() ? *url : "", record.good_revision());
  if (next != absl::InfiniteDuration()) queue_.Add(name, next);
}

}  // namespace fairlead::loop
