// Checkouts of git repositories on this host.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/action_scope.h"
#include "agent/git_command.h"
#include "base/mutex.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

struct CheckoutPlace {
  // Absolute.
  std::string directory;
  // Who it belongs to: "repo/site". A checkout of another owner is refused.
  std::string owner;
  // Relative; a file that Fairlead itself writes there, which gives way to git's. May be empty.
  std::string kept_file;
  // What is there goes, once the new one is complete.
  bool anew = false;
  // It is thrown away soon: the objects stay in the mirror.
  bool is_temporary = false;
};

struct CheckedOut {
  std::string commit;
  std::string subject;
  // There was none before, or what was to follow its clone was never finished, or by this action.
  bool cloned = false;
  // It was at another commit before.
  bool changed = false;
};

// Brings revisions onto the host. Each repository has one mirror below `data_directory`/mirrors,
// however many resources use it; two actions never use one at the same time. Thread-safe.
class GitCheckouts {
 public:
  explicit GitCheckouts(const std::string& data_directory);

  // Makes the place equal to the revision, with its submodules. A new checkout is made beside the
  // place and renamed; one that is there is changed in place: changes of files that git knows are
  // lost, files that it does not know stay. FailedPrecondition when the place is in use by
  // something else, when such a file is in the way of one of git's (then nothing is changed), or
  // for files in Git LFS; else as StatusOfGit. After a failure a new checkout is not there, and an
  // old one may be at either revision.
  absl::StatusOr<CheckedOut> CheckOut(ActionScope& scope, const v1::GitSource& source,
                                      const CheckoutPlace& place) ABSL_LOCKS_EXCLUDED(mutex_);

  // What was to follow a clone has been done: for every later action it is none any more.
  static absl::Status MarkFinished(const CheckoutPlace& place, const std::string& action_id);

 private:
  class Lease;

  absl::StatusOr<std::string> PrepareMirror(const GitCommand& git) const;
  // The full commit that the source names, in the mirror; fetched when it is not there.
  absl::StatusOr<std::string> Fetch(ActionScope& scope, const GitCommand& git,
                                    const v1::GitSource& source, const std::string& mirror) const;
  // The same; a mirror that is damaged is made anew.
  absl::StatusOr<std::string> FetchOrRepair(ActionScope& scope, const GitCommand& git,
                                            const v1::GitSource& source,
                                            const std::string& mirror) const;

  const std::string data_directory_;
  base::Mutex mutex_;
  base::CondVar freed_;
  // Mirrors in use.
  std::set<std::string> used_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
