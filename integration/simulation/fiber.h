// Blocking code in one thread: a call that waits hands the thread back until its time has come.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"

#include "integration/simulation/timeline.h"

namespace fairlead::simulation {

// Runs a function on a stack of its own, on the thread of whoever resumes it. Must have ended
// before it is destroyed.
class Fiber : public std::enable_shared_from_this<Fiber> {
 public:
  // `label` says on whose behalf it runs. `timeline` outlives it. The first step is an event of
  // now.
  static std::shared_ptr<Fiber> Start(Timeline& timeline, std::string label,
                                      std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The one that runs; null outside of all.
  static Fiber* Current();

  const std::string& label() const { return label_; }
  bool ended() const { return ended_; }

  // Within the fiber: waits until then, or for a Wake.
  void SleepUntil(absl::Time time);
  // Ends the sleep it is in, at this moment of simulated time.
  void Wake();
  // Runs it now, outside of the timeline, until it sleeps or ends: when its process is killed,
  // all that it calls fails at once, so that it ends in one go.
  void RunOut();

 private:
  Fiber(Timeline& timeline, std::string label, std::function<void()> body);
  static void Entry();
  void Resume();
  void Yield();

  Timeline& timeline_;
  const std::string label_;
  std::function<void()> body_;
  // Counts sleeps, so that a timer of an earlier one wakes nobody.
  uint64_t sleep_ = 0;
  bool ended_ = false;
  void* stack_ = nullptr;
  ucontext_t context_{};
  ucontext_t caller_{};
  Fiber* resumed_from_ = nullptr;
  // What sanitizers know of the stacks.
  [[maybe_unused]] void* own_fake_stack_ = nullptr;
  [[maybe_unused]] void* own_fiber_ = nullptr;
  [[maybe_unused]] void* caller_fiber_ = nullptr;
  [[maybe_unused]] const void* caller_bottom_ = nullptr;
  [[maybe_unused]] std::size_t caller_size_ = 0;
};

}  // namespace fairlead::simulation
