#include "integration/simulation/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAIRLEAD_FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FAIRLEAD_FIBER_TSAN 1
#endif
#endif
#if defined(FAIRLEAD_FIBER_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(FAIRLEAD_FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace fairlead::simulation {
namespace {

constexpr std::size_t kStackSize = 512 << 10;

thread_local Fiber* current = nullptr;

// Stacks are taken again: mapping one costs more than most fibers do.
class StackPool {
 public:
  ~StackPool() {
    for (void* stack : free_) ::munmap(stack, kStackSize);
  }
  void* Take() {
    if (!free_.empty()) {
      void* const stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* const stack = ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) std::abort();
    // An overflow must not write into what lies below.
    ::mprotect(stack, 4096, PROT_NONE);
    return stack;
  }
  void Give(void* stack) { free_.push_back(stack); }

 private:
  std::vector<void*> free_;
};

thread_local StackPool stacks;

}  // namespace

Fiber* Fiber::Current() { return current; }

std::shared_ptr<Fiber> Fiber::Start(Timeline& timeline, std::string label,
                                    std::function<void()> body) {
  std::shared_ptr<Fiber> fiber(new Fiber(timeline, std::move(label), std::move(body)));
  timeline.After(absl::ZeroDuration(), [fiber] {
    if (fiber->sleep_ == 0 && !fiber->ended_) fiber->Resume();
  });
  return fiber;
}

Fiber::Fiber(Timeline& timeline, std::string label, std::function<void()> body)
    : timeline_(timeline), label_(std::move(label)), body_(std::move(body)) {
  stack_ = stacks.Take();
  ::getcontext(&context_);
  context_.uc_stack.ss_sp = stack_;
  context_.uc_stack.ss_size = kStackSize;
  context_.uc_link = nullptr;
  ::makecontext(&context_, &Fiber::Entry, 0);
#if defined(FAIRLEAD_FIBER_TSAN)
  own_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (!ended_) std::abort();
#if defined(FAIRLEAD_FIBER_TSAN)
  __tsan_destroy_fiber(own_fiber_);
#endif
  stacks.Give(stack_);
}

void Fiber::Entry() {
  Fiber* const self = current;
#if defined(FAIRLEAD_FIBER_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &self->caller_bottom_, &self->caller_size_);
#endif
  self->body_();
  self->body_ = nullptr;
  self->ended_ = true;
  current = self->resumed_from_;
#if defined(FAIRLEAD_FIBER_ASAN)
  __sanitizer_start_switch_fiber(nullptr, self->caller_bottom_, self->caller_size_);
#endif
#if defined(FAIRLEAD_FIBER_TSAN)
  __tsan_switch_to_fiber(self->caller_fiber_, 0);
#endif
  ::setcontext(&self->caller_);
  std::abort();
}

void Fiber::Resume() {
  // Others may let go of it while it runs.
  const std::shared_ptr<Fiber> self = shared_from_this();
  resumed_from_ = std::exchange(current, this);
#if defined(FAIRLEAD_FIBER_ASAN)
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_, kStackSize);
#endif
#if defined(FAIRLEAD_FIBER_TSAN)
  caller_fiber_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(own_fiber_, 0);
#endif
  ::swapcontext(&caller_, &context_);
#if defined(FAIRLEAD_FIBER_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
}

void Fiber::Yield() {
  current = resumed_from_;
#if defined(FAIRLEAD_FIBER_ASAN)
  __sanitizer_start_switch_fiber(&own_fake_stack_, caller_bottom_, caller_size_);
#endif
#if defined(FAIRLEAD_FIBER_TSAN)
  __tsan_switch_to_fiber(caller_fiber_, 0);
#endif
  ::swapcontext(&context_, &caller_);
#if defined(FAIRLEAD_FIBER_ASAN)
  __sanitizer_finish_switch_fiber(own_fake_stack_, &caller_bottom_, &caller_size_);
#endif
}

void Fiber::SleepUntil(absl::Time time) {
  const uint64_t sleep = ++sleep_;
  if (time != absl::InfiniteFuture()) {
    timeline_.At(time, [self = shared_from_this(), sleep] {
      if (self->sleep_ == sleep && !self->ended_) self->Resume();
    });
  }
  Yield();
  ++sleep_;
}

void Fiber::Wake() {
  timeline_.After(absl::ZeroDuration(), [self = shared_from_this(), sleep = sleep_] {
    if (self->sleep_ == sleep && !self->ended_ && self.get() != current) self->Resume();
  });
}

void Fiber::RunOut() {
  while (!ended_) Resume();
}

}  // namespace fairlead::simulation
