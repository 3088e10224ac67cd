#include "controller/loop/view_publisher.h"

#include <string>
#include <utility>

#include "base/mutex.h"

namespace fairlead::loop {
namespace {

// The picture before the last one comes back as a rule; a slow reader's may be older.
constexpr std::size_t kChangesKept = 8;

template <typename Map, typename Key>
void CopyEntry(const Map& from, const Key& key, Map& to) {
  const auto found = from.find(key);
  if (found == from.end()) {
    to.erase(key);
  } else {
    to.insert_or_assign(key, found->second);
  }
}

// All but the inventory. The bindings name every member, so that a new one is not forgotten.
void CopyRest(const sync::PlanInput& from, sync::PlanInput& to) {
  const auto& [desired, live, inventory, failed_specs, holds, approvals, builds, repos, procedures,
               busy, failed_attempts, preflight_holds, deploy_requests, installation, hasher, now,
               allow_delete] = from;
  to.desired = desired;
  to.live = live;
  to.failed_specs = failed_specs;
  to.holds = holds;
  to.approvals = approvals;
  to.builds = builds;
  to.repos = repos;
  to.procedures = procedures;
  to.busy = busy;
  to.failed_attempts = failed_attempts;
  to.preflight_holds = preflight_holds;
  to.deploy_requests = deploy_requests;
  to.installation = installation;
  to.hasher = hasher;
  to.now = now;
  to.allow_delete = allow_delete;
}

// All but the decisions.
void CopyRest(const sync::PlanResult& from, sync::PlanResult& to) {
  const auto& [plan, decisions, wake_at, step_index, new_failures, decided, needed_runs, conditions,
               memo] = from;
  to.plan = plan;
  to.wake_at = wake_at;
  to.step_index = step_index;
  to.new_failures = new_failures;
  to.decided = decided;
  to.needed_runs = needed_runs;
  to.conditions = conditions;
  to.memo = memo;
}

}  // namespace

// Holds the newest picture that nobody reads any more. Thread-safe.
class ViewPublisher::Shelf {
 public:
  void Put(std::unique_ptr<LoopView> view) ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    // What is older is freed after the lock.
    if (view_ == nullptr || view_->generation < view->generation) std::swap(view_, view);
  }
  std::unique_ptr<LoopView> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    return std::move(view_);
  }

 private:
  base::Mutex mutex_;
  std::unique_ptr<LoopView> view_ ABSL_GUARDED_BY(mutex_);
};

ViewPublisher::ViewPublisher() : shelf_(std::make_shared<Shelf>()) {}

bool ViewPublisher::Update(const sync::PlanInput& input, const sync::PlanResult& result,
                           LoopView& view) const {
  if (log_.front().generation > view.generation + 1) return false;
  std::size_t total = 0;
  for (const Change& change : log_) {
    if (change.generation <= view.generation) continue;
    if (change.everything) return false;
    total += change.ids.size();
  }
  // Looking up so many costs more than copying all.
  if (total > result.decisions.size() / 4 + 1) return false;
  for (const Change& change : log_) {
    if (change.generation <= view.generation) continue;
    for (const resources::ResourceId& id : change.ids) {
      CopyEntry(input.inventory, id.ToString(), view.input.inventory);
      CopyEntry(result.decisions, id, view.result.decisions);
    }
  }
  CopyRest(input, view.input);
  CopyRest(result, view.result);
  return true;
}

std::shared_ptr<const LoopView> ViewPublisher::Publish(const sync::PlanInput& input,
                                                       const sync::PlanResult& result,
                                                       bool converged) {
  log_.push_back({++generation_, everything_changed_, std::move(changed_)});
  if (log_.size() > kChangesKept) log_.pop_front();
  changed_.clear();
  everything_changed_ = false;
  std::unique_ptr<LoopView> view = shelf_->Take();
  if (view == nullptr || !Update(input, result, *view)) {
    view = std::make_unique<LoopView>();
    view->input = input;
    view->result = result;
  }
  view->generation = generation_;
  view->converged = converged;
  return {view.release(), [shelf = shelf_](const LoopView* done) {
            shelf->Put(std::unique_ptr<LoopView>(const_cast<LoopView*>(done)));
          }};
}

}  // namespace fairlead::loop
