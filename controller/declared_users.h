// Users of git, wired to the store and the loop.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/access/access.h"
#include "controller/loop/loop_view.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/work_queue.h"

namespace fairlead::controller {

// Makes users as `[[user]]` says, on a thread of its own: the loop does not wait for the disk of
// theirs. What cannot be stored is tried again until it is. Thread-safe.
class DeclaredUsers {
 public:
  // All outlive it.
  DeclaredUsers(access::Access& access, loop::Reconciler& reconciler, base::Clock& clock)
      : access_(access),
        reconciler_(reconciler),
        clock_(clock),
        queue_(clock, 1, [this](const std::string&) { Work(); }) {}
  ~DeclaredUsers() { Shutdown(); }

  // Permissions count at once. Nobody is disabled before every source was read once.
  void Follow(const loop::LoopView& view) ABSL_LOCKS_EXCLUDED(mutex_);
  void Shutdown() { queue_.Shutdown(); }

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void Tell(const access::UserChange& change);

  access::Access& access_;
  loop::Reconciler& reconciler_;
  base::Clock& clock_;
  base::Mutex mutex_;
  access::DeclaredUsers wanted_ ABSL_GUARDED_BY(mutex_);
  // What `wanted_` was made of.
  std::string text_ ABSL_GUARDED_BY(mutex_);
  // Confined to the queue's thread.
  std::string last_error_;
  // Last: its thread uses the rest.
  loop::WorkQueue queue_;
};

}  // namespace fairlead::controller
