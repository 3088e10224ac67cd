#include "controller/loop/work_queue.h"

#include <algorithm>
#include <utility>

namespace fairlead::loop {

WorkQueue::WorkQueue(base::Clock& clock, int workers,
                     std::function<void(const std::string& key)> work)
    : clock_(clock), work_(std::move(work)) {
  for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { Run(); });
}

WorkQueue::~WorkQueue() { Shutdown(); }

void WorkQueue::Add(const std::string& key, absl::Duration delay) {
  base::MutexLock lock(mutex_);
  const absl::Time at = clock_.Now() + delay;
  const auto [slot, inserted] = due_.emplace(key, at);
  if (!inserted) slot->second = std::min(slot->second, at);
  changed_.SignalAll();
}

void WorkQueue::Remove(const std::string& key) {
  base::MutexLock lock(mutex_);
  due_.erase(key);
}

void WorkQueue::Shutdown() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    due_.clear();
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool WorkQueue::TakeLocked(absl::Time now, std::string* key) {
  auto best = due_.end();
  for (auto at = due_.begin(); at != due_.end(); ++at) {
    if (at->second > now || active_.contains(at->first)) continue;
    if (best == due_.end() || at->second < best->second) best = at;
  }
  if (best == due_.end()) return false;
  *key = best->first;
  due_.erase(best);
  return true;
}

absl::Duration WorkQueue::UntilNextLocked(absl::Time now) const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [key, at] : due_) {
    if (!active_.contains(key)) next = std::min(next, at);
  }
  return next == absl::InfiniteFuture() ? absl::InfiniteDuration()
                                        : std::max(next - now, absl::Milliseconds(1));
}

void WorkQueue::Run() {
  while (true) {
    std::string key;
    {
      base::MutexLock lock(mutex_);
      while (!stopping_ && !TakeLocked(clock_.Now(), &key)) {
        changed_.WaitFor(mutex_, UntilNextLocked(clock_.Now()));
      }
      if (stopping_) return;
      active_.insert(key);
    }
    work_(key);
    base::MutexLock lock(mutex_);
    active_.erase(key);
    changed_.SignalAll();
  }
}

}  // namespace fairlead::loop
