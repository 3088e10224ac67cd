#include "agent/git_checkout.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/checkout_obstacles.h"
#include "agent/file_name.h"
#include "agent/git_error.h"
#include "agent/plain_text.h"
#include "agent/private_folder.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kPoll = absl::Milliseconds(50);
// In .git: the owner, and in the second line which action finished what follows a clone; none has
// while it is empty.
constexpr char kMarker[] = ".git/fairlead";
// The commit that the checkout is being changed to.
constexpr char kUpdating[] = ".git/fairlead-updating";
constexpr std::size_t kObstaclesTold = 5;
constexpr absl::string_view kLfsPointer = "version https://git-lfs.github.com/spec/v1";
// Files with the attribute that are looked at: a pointer is found among the first.
constexpr int kLfsLooks = 100;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); });
}

// What a killed git leaves stops every later one. Requires: nobody else uses the repository.
void RemoveStaleLocks(const std::string& git_folder) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (fs::recursive_directory_iterator at(git_folder, error);
       !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->path().filename() == "objects") at.disable_recursion_pending();
    if (at->path().extension() == ".lock") stale.push_back(at->path());
  }
  for (const fs::path& path : stale) fs::remove(path, error);
}

struct Marker {
  std::string owner;
  std::string finished_by;
};

absl::StatusOr<Marker> ReadMarker(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string text,
                   base::ReadFile(absl::StrCat(directory, "/", kMarker), 65536));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  return Marker{.owner = lines[0], .finished_by = lines.size() > 1 ? lines[1] : ""};
}

absl::Status WriteMarker(const std::string& directory, const Marker& marker) {
  return base::WriteFileAtomically(absl::StrCat(directory, "/", kMarker),
                                   absl::StrCat(marker.owner, "\n", marker.finished_by, "\n"));
}

enum class Found { kNothing, kOurs };

// FailedPrecondition when something else is there.
absl::StatusOr<Found> LookAt(const CheckoutPlace& place) {
  const std::string& path = place.directory;
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return Found::kNothing;
  if (!fs::is_directory(path, error)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is no directory"));
  }
  if (fs::is_empty(path, error)) return Found::kNothing;
  const absl::StatusOr<Marker> marker = ReadMarker(path);
  if (absl::IsNotFound(marker.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " is not empty and is no checkout of Fairlead; move it away, or choose another path"));
  }
  RETURN_IF_ERROR(marker.status());
  if (marker->owner != place.owner) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is the checkout of ", marker->owner, "; choose another path"));
  }
  return Found::kOurs;
}

// FailedPrecondition names the first file whose content lies in LFS.
absl::Status RefuseLfs(const GitCommand& git, const std::string& mirror,
                       const std::string& commit) {
  const std::string index = absl::StrCat(git.folder().path(), "/index");
  const std::map<std::string, std::string> with_index = {{"GIT_INDEX_FILE", index}};
  const auto grep = git.Try({.directory = mirror,
                             .arguments = {"grep", "-q", "-I", "filter=lfs", commit, "--",
                                           ".gitattributes", "*/.gitattributes"}});
  RETURN_IF_ERROR(grep.status());
  if (grep->exit_code != 0) return absl::OkStatus();
  RETURN_IF_ERROR(
      git.Run({.directory = mirror, .arguments = {"read-tree", commit}, .environment = with_index})
          .status());
  ASSIGN_OR_RETURN(
      const std::string files,
      git.Run({.directory = mirror, .arguments = {"ls-files", "-z"}, .environment = with_index}));
  ASSIGN_OR_RETURN(const std::string attributes,
                   git.Run({.directory = mirror,
                            .arguments = {"check-attr", "--cached", "-z", "--stdin", "filter"},
                            .input = files,
                            .environment = with_index}));
  // path, "filter", value
  const std::vector<std::string> words = absl::StrSplit(attributes, '\0');
  int looks = 0;
  for (std::size_t i = 0; i + 2 < words.size() && looks < kLfsLooks; i += 3) {
    if (words[i + 2] != "lfs") continue;
    ++looks;
    const auto blob =
        git.Try({.directory = mirror,
                 .arguments = {"cat-file", "blob", absl::StrCat(commit, ":", words[i])}});
    RETURN_IF_ERROR(blob.status());
    if (!absl::StartsWith(blob->out, kLfsPointer)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(git.url().text, " at ", commit.substr(0, 7), ": ", words[i],
                     " is kept in Git LFS, which is not fetched; keep the file in git itself, or "
                     "fetch it by another way and take it out of .gitattributes"));
  }
  return absl::OkStatus();
}

absl::Status UpdateSubmodules(const GitCommand& git, const std::string& directory) {
  std::error_code error;
  if (!fs::exists(directory + "/.gitmodules", error)) return absl::OkStatus();
  RETURN_IF_ERROR(git.Run({.directory = directory,
                           .arguments = {"submodule", "--quiet", "sync", "--recursive"}})
                      .status());
  RETURN_IF_ERROR(
      git.Run({.directory = directory,
               .arguments = {"submodule", "--quiet", "update", "--init", "--recursive", "--force"}})
          .status());
  ASSIGN_OR_RETURN(const std::string paths,
                   git.Run({.directory = directory,
                            .arguments = {"submodule", "--quiet", "foreach", "--recursive",
                                          "printf '%s\\n' \"$displaypath\""}}));
  for (const absl::string_view path : absl::StrSplit(paths, '\n', absl::SkipEmpty())) {
    RETURN_IF_ERROR(RefuseLfs(git, absl::StrCat(directory, "/", path), "HEAD"),
                    absl::StrCat("submodule ", path));
  }
  return absl::OkStatus();
}

// Everything that makes `directory`, which is not there, a checkout.
absl::Status MakeCheckout(const GitCommand& git, const std::string& mirror,
                          const std::string& commit, const CheckoutPlace& place,
                          const std::string& directory) {
  RETURN_IF_ERROR(base::MakeDirectories(directory, 0755));
  const auto run = [&](std::vector<std::string> arguments) {
    return git.Run({.directory = directory, .arguments = std::move(arguments), .is_local = true})
        .status();
  };
  RETURN_IF_ERROR(run({"init", "--quiet", "--template=", "."}));
  RETURN_IF_ERROR(run({"config", "remote.origin.url", git.url().text}));
  RETURN_IF_ERROR(run({"config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"}));
  if (place.is_temporary) {
    RETURN_IF_ERROR(base::MakeDirectories(directory + "/.git/objects/info", 0755));
    RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/.git/objects/info/alternates",
                                              absl::StrCat(mirror, "/objects\n")));
  } else {
    RETURN_IF_ERROR(
        run({"fetch", "--quiet", "--no-tags", "--", mirror, "+refs/heads/*:refs/remotes/origin/*",
             "+refs/tags/*:refs/tags/*", commit}));
  }
  return run({"checkout", "--quiet", "--force", "--detach", commit});
}

absl::Status CloneInto(const GitCommand& git, const std::string& mirror, const std::string& commit,
                       const CheckoutPlace& place) {
  const std::string beside = place.directory + ".fairlead-new";
  const std::string old = place.directory + ".fairlead-old";
  RETURN_IF_ERROR(RemoveTree(beside));
  absl::Status made = MakeCheckout(git, mirror, commit, place, beside);
  if (made.ok()) made = UpdateSubmodules(git, beside);
  if (made.ok()) made = WriteMarker(beside, {.owner = place.owner});
  if (!made.ok()) {
    RemoveTree(beside).IgnoreError();  // What went wrong first is what is told.
    return made;
  }
  std::error_code error;
  RETURN_IF_ERROR(RemoveTree(old));
  if (fs::exists(place.directory, error)) fs::rename(place.directory, old, error);
  if (!error) fs::rename(beside, place.directory, error);
  if (error) {
    return base::ErrnoStatus(error.value(), absl::StrCat("rename ", beside));
  }
  return RemoveTree(old);
}

// Splits what git prints with -z.
std::vector<std::string> Records(const std::string& text) {
  return absl::StrSplit(text, '\0', absl::SkipEmpty());
}

// FailedPrecondition names the files of people that a change to the commit would cost.
absl::Status RefuseObstacles(const GitCommand& git, const std::string& commit,
                             const CheckoutPlace& place) {
  // An update that was cut has written files that git does not know yet: there was nothing in
  // their way.
  const std::string cut =
      base::ReadFile(absl::StrCat(place.directory, "/", kUpdating), 4096).value_or("");
  std::set<std::string> tracked;
  for (const std::string& known : {std::string("HEAD"), cut}) {
    if (known.empty()) continue;
    const auto listed = git.Try(
        {.directory = place.directory, .arguments = {"ls-tree", "-r", "-z", "--name-only", known}});
    RETURN_IF_ERROR(listed.status());
    for (std::string& path : Records(listed->out)) tracked.insert(std::move(path));
  }
  ASSIGN_OR_RETURN(const std::string index,
                   git.Run({.directory = place.directory, .arguments = {"ls-files", "-z"}}));
  for (std::string& path : Records(index)) tracked.insert(std::move(path));
  ASSIGN_OR_RETURN(const std::string tree, git.Run({.directory = place.directory,
                                                    .arguments = {"ls-tree", "-r", "-z", commit}}));
  std::vector<WantedPath> wanted;
  for (const std::string& record : Records(tree)) {
    // MODE TYPE ID<tab>PATH
    const std::size_t tab = record.find('\t');
    if (tab == std::string::npos) continue;
    WantedPath path{.path = record.substr(tab + 1),
                    .is_submodule = absl::StartsWith(record, "160000")};
    if (path.path != place.kept_file) wanted.push_back(std::move(path));
  }
  const std::vector<std::string> obstacles =
      FindObstacles(place.directory, tracked, wanted, kObstaclesTold);
  if (obstacles.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      place.directory, ": ", absl::StrJoin(obstacles, ", "), obstacles.size() == 1 ? " is" : " are",
      " not of git and in the way of what commit ", commit.substr(0, 7),
      " brings; move or remove what stands there and run it again. Nothing was changed"));
}

absl::Status UpdateInPlace(const GitCommand& git, const std::string& mirror,
                           const std::string& commit, const CheckoutPlace& place) {
  const auto run = [&](std::vector<std::string> arguments) {
    return git
        .Run({.directory = place.directory, .arguments = std::move(arguments), .is_local = true})
        .status();
  };
  RemoveStaleLocks(place.directory + "/.git");
  RETURN_IF_ERROR(run({"config", "remote.origin.url", git.url().text}));
  RETURN_IF_ERROR(run({"fetch", "--quiet", "--prune", "--force", "--no-tags", "--", mirror,
                       "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", commit}));
  RETURN_IF_ERROR(RefuseObstacles(git, commit, place));
  const std::string updating = absl::StrCat(place.directory, "/", kUpdating);
  RETURN_IF_ERROR(base::WriteFileAtomically(updating, commit));
  RETURN_IF_ERROR(run({"checkout", "--quiet", "--force", "--detach", commit}));
  RETURN_IF_ERROR(UpdateSubmodules(git, place.directory));
  std::error_code ignored;
  fs::remove(updating, ignored);
  return absl::OkStatus();
}

// Empty when there is none.
std::string HeadOf(const GitCommand& git, const std::string& directory) {
  return git
      .Run({.directory = directory, .arguments = {"rev-parse", "--verify", "--quiet", "HEAD"}})
      .value_or("");
}

}  // namespace

// A mirror in use; free again when this is destroyed.
class GitCheckouts::Lease {
 public:
  static absl::StatusOr<std::unique_ptr<Lease>> Take(GitCheckouts& all, const std::string& mirror,
                                                     const ActionScope& scope) {
    base::MutexLock lock(all.mutex_);
    while (!all.used_.insert(mirror).second) {
      if (scope.limits.is_cancelled && scope.limits.is_cancelled()) {
        return absl::CancelledError("cancelled while another action used the repository");
      }
      if (scope.clock.Now() >= scope.limits.deadline) {
        return absl::DeadlineExceededError("another action used the repository all the time");
      }
      all.freed_.WaitFor(all.mutex_, kPoll);
    }
    return std::unique_ptr<Lease>(new Lease(all, mirror));
  }
  ~Lease() {
    base::MutexLock lock(all_.mutex_);
    all_.used_.erase(mirror_);
    all_.freed_.SignalAll();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

 private:
  Lease(GitCheckouts& all, std::string mirror) : all_(all), mirror_(std::move(mirror)) {}
  GitCheckouts& all_;
  const std::string mirror_;
};

GitCheckouts::GitCheckouts(const std::string& data_directory)
    // Git reads relative paths from the folder it runs in.
    : data_directory_(fs::absolute(data_directory).lexically_normal().string()) {}

absl::StatusOr<std::string> GitCheckouts::PrepareMirror(const GitCommand& git) const {
  const std::string mirror =
      absl::StrCat(data_directory_, "/mirrors/", FileNameOf(git.url().text), ".git");
  std::error_code error;
  if (fs::exists(mirror + "/complete", error)) {
    RemoveStaleLocks(mirror);
    return mirror;
  }
  RETURN_IF_ERROR(RemoveTree(mirror));
  RETURN_IF_ERROR(base::MakeDirectories(mirror));
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"init", "--quiet", "--bare", "--template=", "."},
           // Checkouts ask for commits that no branch holds any more.
           {"config", "uploadpack.allowAnySHA1InWant", "true"}}) {
    RETURN_IF_ERROR(git.Run({.directory = mirror, .arguments = arguments}).status());
  }
  // For people who look at the folder, and the end of a crash in between.
  RETURN_IF_ERROR(base::WriteFileAtomically(mirror + "/complete", git.url().text + "\n"));
  return mirror;
}

absl::StatusOr<std::string> GitCheckouts::Fetch(ActionScope& scope, const GitCommand& git,
                                                const v1::GitSource& source,
                                                const std::string& mirror) const {
  const auto resolve = [&](const std::string& revision) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const base::SubprocessResult result,
                     git.Try({.directory = mirror,
                              .arguments = {"rev-parse", "--verify", "--quiet",
                                            absl::StrCat(revision, "^{commit}")}}));
    if (result.exit_code != 0) return absl::NotFoundError(absl::StrCat(revision, " is not there"));
    return std::string(absl::StripAsciiWhitespace(result.out));
  };
  const std::string& commit = source.commit();
  if (!commit.empty() && (!IsHex(commit) || commit.size() < 4 || commit.size() > 64)) {
    return absl::InvalidArgumentError(
        absl::StrCat(git.url().text, ": \"", commit, "\" is no commit"));
  }
  const bool is_full = commit.size() >= 40;
  if (is_full) {
    // Without a word to the server: a commit never changes.
    absl::StatusOr<std::string> present = resolve(commit);
    if (present.ok() || !absl::IsNotFound(present.status())) return present;
  }
  scope.Report("fetching", git.url().text);
  std::vector<std::string> arguments = {"fetch",
                                        "--quiet",
                                        "--prune",
                                        "--force",
                                        "--no-tags",
                                        "--",
                                        git.url().text,
                                        "+refs/heads/*:refs/heads/*",
                                        "+refs/tags/*:refs/tags/*"};
  const bool wants_head = commit.empty() && source.branch().empty();
  if (wants_head) arguments.emplace_back("+HEAD:refs/fairlead/HEAD");
  RETURN_IF_ERROR(git.Run({.directory = mirror, .arguments = arguments}).status());
  // Only sometimes anything to do; what it leaves is as good as before.
  git.Run({.directory = mirror,
           .arguments = {"-c", "gc.auto=5000", "-c", "gc.autoDetach=false", "gc", "--auto",
                         "--quiet"}})
      .IgnoreError();
  if (wants_head) return resolve("refs/fairlead/HEAD");
  if (commit.empty()) {
    absl::StatusOr<std::string> found = resolve(absl::StrCat("refs/heads/", source.branch()));
    if (absl::IsNotFound(found.status())) {
      found = resolve(absl::StrCat("refs/tags/", source.branch()));
    }
    if (!absl::IsNotFound(found.status())) return found;
    return absl::NotFoundError(
        absl::StrCat(git.url().text, ": there is no branch ", source.branch()));
  }
  absl::StatusOr<std::string> found = resolve(commit);
  if (absl::IsNotFound(found.status()) && is_full) {
    // No branch holds it; some servers hand it out all the same.
    const auto fetched =
        git.Try({.directory = mirror,
                 .arguments = {"fetch", "--quiet", "--no-tags", "--", git.url().text, commit}});
    RETURN_IF_ERROR(fetched.status());
    found = resolve(commit);
  }
  if (!absl::IsNotFound(found.status())) return found;
  return absl::NotFoundError(
      absl::StrCat(git.url().text, ": there is no commit ", commit,
                   "; it may have been on a branch that was rewritten or removed"));
}

absl::StatusOr<std::string> GitCheckouts::FetchOrRepair(ActionScope& scope, const GitCommand& git,
                                                        const v1::GitSource& source,
                                                        const std::string& mirror) const {
  absl::StatusOr<std::string> commit = Fetch(scope, git, source, mirror);
  if (commit.ok() || !IsDamagedRepository(commit.status().message())) return commit;
  scope.Warn(absl::StrCat(git.url().text, ": the mirror on this host was damaged (",
                          commit.status().message(), ") and was made anew"));
  RETURN_IF_ERROR(RemoveTree(mirror));
  RETURN_IF_ERROR(PrepareMirror(git).status());
  return Fetch(scope, git, source, mirror);
}

absl::StatusOr<CheckedOut> GitCheckouts::CheckOut(ActionScope& scope, const v1::GitSource& source,
                                                  const CheckoutPlace& place) {
  ASSIGN_OR_RETURN(const Found found, LookAt(place));
  ASSIGN_OR_RETURN(const GitCommand git, GitCommand::Make(scope, source, data_directory_));
  ASSIGN_OR_RETURN(const auto lease, Lease::Take(*this, git.url().text, scope));
  ASSIGN_OR_RETURN(const std::string mirror, PrepareMirror(git));
  ASSIGN_OR_RETURN(const std::string commit, FetchOrRepair(scope, git, source, mirror));
  RETURN_IF_ERROR(RefuseLfs(git, mirror, commit));
  CheckedOut result{.commit = commit};
  ASSIGN_OR_RETURN(
      result.subject,
      git.Run({.directory = mirror,
               .arguments = {"log", "-1", "--no-show-signature", "--format=%s", commit}}));
  result.subject = PlainText(result.subject);
  scope.Report("checking out", absl::StrCat(commit.substr(0, 7), " ", result.subject));
  if (found == Found::kOurs && !place.anew) {
    const Marker marker = ReadMarker(place.directory).value_or(Marker{});
    result.cloned = marker.finished_by.empty() || marker.finished_by == scope.action.id();
    const std::string before = HeadOf(git, place.directory);
    RETURN_IF_ERROR(UpdateInPlace(git, mirror, commit, place));
    result.changed = before != commit;
    return result;
  }
  RETURN_IF_ERROR(base::MakeDirectories(fs::path(place.directory).parent_path().string(), 0755));
  RETURN_IF_ERROR(CloneInto(git, mirror, commit, place));
  result.cloned = true;
  result.changed = true;
  return result;
}

absl::Status GitCheckouts::MarkFinished(const CheckoutPlace& place, const std::string& action_id) {
  return WriteMarker(place.directory, {.owner = place.owner, .finished_by = action_id});
}

}  // namespace fairlead::agent
