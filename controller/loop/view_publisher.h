// From the loop's own state to pictures that others may keep.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "controller/loop/loop_view.h"
#include "resources/resource_id.h"
#include "sync/planner.h"

namespace fairlead::loop {

// Makes the picture of each pass. With ten thousand resources a copy of everything would cost more
// than the pass, so a picture that nobody reads any more is brought up to date instead. Confined
// to one thread; its pictures may be let go on any thread and may outlive it.
class ViewPublisher {
 public:
  ViewPublisher();

  // The decision or the inventory entry of `id` may differ from the last picture's.
  void OnChanged(const resources::ResourceId& id) { changed_.push_back(id); }
  void OnEverythingChanged() { everything_changed_ = true; }

  // Requires: everything that differs from the last picture has been told.
  std::shared_ptr<const LoopView> Publish(const sync::PlanInput& input,
                                          const sync::PlanResult& result, bool converged);

 private:
  class Shelf;
  struct Change {
    // Of the picture that first shows it.
    uint64_t generation = 0;
    bool everything = false;
    std::vector<resources::ResourceId> ids;
  };

  // Brings `view` up to date; false when what has changed since is no longer known, or too much.
  bool Update(const sync::PlanInput& input, const sync::PlanResult& result, LoopView& view) const;

  std::shared_ptr<Shelf> shelf_;
  uint64_t generation_ = 0;
  bool everything_changed_ = true;
  std::vector<resources::ResourceId> changed_;
  // The last few, in order.
  std::deque<Change> log_;
};

}  // namespace fairlead::loop
