// The branches of builds that ask for it: which commit they are at.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/loop/repo_mirrors.h"
#include "sync/desired.h"

namespace fairlead::actions {

// By build ("build/api"): where its branch is looked at, and how often. Left out is what has no
// poll_interval, is invalid, names no repository, or stays at a commit.
std::map<std::string, loop::RepoInterest> ComputeHeadInterests(const sync::DesiredState& desired);

// Looks at these branches by mirrors of its own, of which there are none while nothing asks for
// them. Thread-safe.
class BuildHeads {
 public:
  // The answer has a commit, or a problem when it could not be looked at.
  using OnHead = std::function<void(const std::string& build, const loop::RepoAnswer& answer)>;

  // `on_head` is told what was found first and then what is new, from a worker thread. References
  // outlive this.
  BuildHeads(loop::RepoMirrorOptions options, base::Clock& clock, base::Random& random,
             OnHead on_head);
  ~BuildHeads();

  // What is declared now.
  void Follow(const sync::DesiredState& desired) ABSL_LOCKS_EXCLUDED(mutex_);
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnChange(const std::string& build) ABSL_LOCKS_EXCLUDED(mutex_);

  const loop::RepoMirrorOptions options_;
  base::Clock& clock_;
  base::Random& random_;
  const OnHead on_head_;
  base::Mutex mutex_;
  // By build.
  std::map<std::string, loop::RepoInterest> interests_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Set once, by Follow. Last: its threads use all of the above.
  std::shared_ptr<loop::RepoMirrors> mirrors_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::actions
