// Users of git, wired to the store and the loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "controller/access/access.h"
#include "controller/loop/loop_view.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/work_queue.h"
#include "sync/desired.h"

namespace fairlead::controller {

// Users and user groups as they could last be read, even where a name in them is unknown: what
// they allow besides counts.
class DeclaredGroups {
 public:
  // What is declared and cannot be read stays as it was: nobody it limits may do more meanwhile.
  void Follow(const sync::DesiredState& desired);

  std::vector<v1::Resource> All() const;
  // Every source was read once, and every user and group that is declared is known.
  bool is_complete() const { return is_complete_; }

 private:
  std::map<resources::ResourceId, std::shared_ptr<const v1::Resource>> known_;
  bool is_complete_ = false;
};

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

  // On the loop's thread alone. Permissions count at once. Nobody is disabled before every source
  // was read once.
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
  // Confined to the loop's thread.
  DeclaredGroups groups_;
  // Confined to the queue's thread.
  std::string last_error_;
  // Last: its thread uses the rest.
  loop::WorkQueue queue_;
};

}  // namespace fairlead::controller
