#include "controller/loop/repo_mirrors.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/log.h"
#include "base/status.h"
#include "controller/loop/git_login.h"
#include "controller/loop/mirror_folder.h"
#include "controller/loop/stack_files.h"
#include "sync/git/url.h"

namespace fairlead::loop {
namespace {

// The files of the place at a commit, at most kStackLimit bytes.
absl::StatusOr<git::FileList> ListPlace(git::Mirror& mirror, const std::string& commit,
                                        const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(git::FileList list, mirror.ListFiles(commit, paths));
  std::size_t total = 0;
  for (const git::FileEntry& entry : list) total += entry.size;
  if (total <= kStackLimit) return list;
  return absl::ResourceExhaustedError(
      absl::StrCat(total >> 20, " MiB; at most ", kStackLimit >> 20, " are sent to a host"));
}

// What makes two addresses one repository.
std::string KeyOf(const std::string& url) { return git::SplitCredentials(url).url; }

// What was asked for is there, if not as of now.
bool IsComplete(const RepoQuestion& question, const RepoAnswer& answer) {
  return question.head_only ? !answer.commit.empty() : answer.files != nullptr;
}

bool SameFiles(const sync::StackFiles& a, const sync::StackFiles& b) {
  return a != nullptr && b != nullptr &&
         std::equal(a->begin(), a->end(), b->begin(), b->end(),
                    [](const v1::StackFile& left, const v1::StackFile& right) {
                      return left.path() == right.path() && left.content() == right.content();
                    });
}

}  // namespace

RepoAnswer ReadAnswer(git::Mirror& mirror, const RepoQuestion& question, const RepoAnswer& before) {
  const auto failed = [&](const absl::Status& why) {
    return RepoAnswer{.problem =
                          absl::StrCat("repository ", Describe(question), ": ", why.message())};
  };
  const absl::StatusOr<git::Revision> revision = mirror.ResolveRevision(question.reference);
  if (!revision.ok()) return failed(revision.status());
  RepoAnswer answer{.commit = revision->commit};
  if (question.head_only) return answer;
  if (before.commit == answer.commit && before.files != nullptr) return before;
  const absl::StatusOr<git::FileList> list = ListPlace(mirror, answer.commit, question.place.paths);
  if (!list.ok()) return failed(list.status());
  absl::StatusOr<sync::StackFiles> files =
      ReadStackFiles(mirror, *list, question.place.prefix.size());
  if (!files.ok()) return failed(files.status());
  answer.files = SameFiles(before.files, *files) ? before.files : *std::move(files);
  return answer;
}

RepoMirrors::RepoMirrors(RepoMirrorOptions options, base::Clock& clock, base::Random& random,
                         std::function<void(const std::string& sync)> on_change)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      on_change_(std::move(on_change)),
      fetcher_(options_.helper_program),
      queue_(clock, options_.workers, [this](const std::string& key) { Work(key); }) {}

RepoMirrors::~RepoMirrors() { Shutdown(); }

void RepoMirrors::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  queue_.Shutdown();
}

std::string RepoMirrors::DirectoryOf(const std::string& key) const {
  return absl::StrCat(options_.directory, "/", FolderOf(key));
}

std::shared_ptr<RepoMirrors::Repo> RepoMirrors::RepoAt(const std::string& key) {
  std::shared_ptr<Repo>& repo = repos_[key];
  if (repo == nullptr) repo = std::make_shared<Repo>();
  if (repo->mirror == nullptr && !repo->is_busy) {
    absl::StatusOr<std::unique_ptr<git::Mirror>> opened = git::Mirror::Open(DirectoryOf(key));
    repo->opened = opened.status();
    if (opened.ok()) repo->mirror = *std::move(opened);
  }
  return repo;
}

RepoAnswer RepoMirrors::Ask(const RepoQuestion& question) {
  base::MutexLock lock(mutex_);
  const std::shared_ptr<Repo> repo = RepoAt(KeyOf(question.url));
  const auto known = repo->answers.find(question);
  if (known != repo->answers.end()) return known->second;
  // As it was before a restart.
  if (repo->mirror != nullptr && !repo->is_busy) {
    RepoAnswer answer = ReadAnswer(*repo->mirror, question, {});
    if (IsComplete(question, answer)) return repo->answers[question] = std::move(answer);
  }
  return {.problem = absl::StrCat("repository ", Describe(question), " is being fetched")};
}

void RepoMirrors::SetInterest(const std::string& sync, RepoInterest interest) {
  std::set<std::string> wake;
  {
    base::MutexLock lock(mutex_);
    const RepoInterest& before = interests_[sync];
    for (const RepoQuestion& question : interest.questions) {
      if (!before.questions.contains(question)) wake.insert(KeyOf(question.url));
    }
    std::set<std::string> left;
    for (const RepoQuestion& question : before.questions) {
      if (!interest.questions.contains(question)) left.insert(KeyOf(question.url));
    }
    interests_[sync] = std::move(interest);
    if (interests_[sync].questions.empty()) interests_.erase(sync);
    for (const std::string& key : left) DropUnwanted(key);
  }
  for (const std::string& key : wake) queue_.Add(key);
}

bool RepoMirrors::Trigger(const std::string& url) {
  const std::string key = KeyOf(url);
  {
    base::MutexLock lock(mutex_);
    if (InterestIn(key).questions.empty()) return false;
  }
  queue_.Add(key);
  return true;
}

void RepoMirrors::DropUnwanted(const std::string& key) {
  const auto repo = repos_.find(key);
  if (repo == repos_.end() || repo->second->is_busy || !InterestIn(key).questions.empty()) return;
  repos_.erase(repo);
  std::error_code ignored;
  std::filesystem::remove_all(DirectoryOf(key), ignored);
}

RepoInterest RepoMirrors::InterestIn(const std::string& key) const {
  RepoInterest interest{.poll_interval = absl::InfiniteDuration(),
                        .fetch_timeout = absl::ZeroDuration()};
  for (const auto& [sync, of_sync] : interests_) {
    for (const RepoQuestion& question : of_sync.questions) {
      if (KeyOf(question.url) != key) continue;
      interest.questions.insert(question);
      interest.poll_interval = std::min(interest.poll_interval, of_sync.poll_interval);
      interest.fetch_timeout = std::max(interest.fetch_timeout, of_sync.fetch_timeout);
    }
  }
  return interest;
}

std::map<std::string, absl::Status> RepoMirrors::FetchAll(const RepoInterest& interest,
                                                          const git::Mirror& mirror) {
  std::map<std::string, const RepoQuestion*> asked;
  for (const RepoQuestion& question : interest.questions) {
    const RepoQuestion*& of = asked[question.reference];
    // What one of them may read is read once for all.
    if (of == nullptr || of->account.empty()) of = &question;
  }
  std::map<std::string, absl::Status> outcomes;
  for (const auto& [reference, question] : asked) {
    git::FetchRequest request;
    const absl::Status known =
        AddAddress(options_.accounts, question->url, question->account, &request);
    if (!known.ok()) {
      outcomes[reference] = known;
      continue;
    }
    request.directory = mirror.directory();
    request.reference = reference;
    request.timeout = interest.fetch_timeout;
    outcomes[reference] = fetcher_.Fetch(request, [this] {
      base::MutexLock lock(mutex_);
      return stopping_;
    });
  }
  return outcomes;
}

void RepoMirrors::Publish(const std::string& key, std::map<RepoQuestion, RepoAnswer> answers) {
  std::vector<std::string> changed;
  {
    base::MutexLock lock(mutex_);
    Repo& repo = *repos_.at(key);
    repo.is_busy = false;
    for (const auto& [sync, interest] : interests_) {
      const bool concerns =
          std::any_of(answers.begin(), answers.end(), [&, &of = interest](const auto& answer) {
            if (!of.questions.contains(answer.first)) return false;
            const auto before = repo.answers.find(answer.first);
            return before == repo.answers.end() || before->second != answer.second;
          });
      if (concerns) changed.push_back(sync);
    }
    repo.answers = std::move(answers);
    DropUnwanted(key);
  }
  for (const std::string& sync : changed) on_change_(sync);
}

void RepoMirrors::Work(const std::string& key) {
  std::shared_ptr<Repo> repo;
  RepoInterest interest;
  std::map<RepoQuestion, RepoAnswer> before;
  {
    base::MutexLock lock(mutex_);
    interest = InterestIn(key);
    if (interest.questions.empty()) return DropUnwanted(key);
    repo = RepoAt(key);
    before = repo->answers;
    repo->is_busy = true;
  }
  std::map<std::string, absl::Status> outcomes;
  if (repo->mirror != nullptr) outcomes = FetchAll(interest, *repo->mirror);
  absl::Status failure = repo->opened;
  std::map<RepoQuestion, RepoAnswer> answers;
  for (const RepoQuestion& question : interest.questions) {
    RepoAnswer& answer = answers[question];
    if (repo->mirror != nullptr) answer = ReadAnswer(*repo->mirror, question, before[question]);
    const absl::Status& fetched = repo->opened.ok() ? outcomes[question.reference] : repo->opened;
    if (fetched.ok()) continue;
    failure = fetched;
    // With what was fetched earlier everything goes on; a head is only good as of now.
    if (question.head_only || !IsComplete(question, answer)) {
      answer.problem = absl::StrCat("repository ", Describe(question), ": ", fetched.message());
    }
  }
  absl::Duration next = interest.poll_interval;
  {
    base::MutexLock lock(mutex_);
    repo->failures = failure.ok() ? 0 : repo->failures + 1;
    if (!failure.ok()) {
      next = std::min(next, base::ComputeJitteredDelay(kFailedFetch, repo->failures, random_));
    }
  }
  if (!failure.ok()) {
    base::LogWarning("repository", key, ": ", failure.message());
  }
  Publish(key, std::move(answers));
  if (next != absl::InfiniteDuration()) queue_.Add(key, next);
}

}  // namespace fairlead::loop
