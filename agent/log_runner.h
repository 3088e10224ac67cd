// Reads container logs for the controller, a thread for each request.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <thread>

#include "agent/runtime.h"
#include "base/mutex.h"
#include "fairlead/v1/agent.pb.h"

namespace fairlead::agent {

// Thread-safe. Owned by the Agent.
class LogRunner {
 public:
  using Send = std::function<void(const v1::LogLines& lines)>;

  // `send` is called from the threads and may block them; every request that was started
  // ends with exactly one message with `end` set. `runtime` must outlive it.
  LogRunner(Runtime& runtime, std::size_t limit, Send send);
  // Cancels all and waits for the threads.
  ~LogRunner();
  LogRunner(const LogRunner&) = delete;
  LogRunner& operator=(const LogRunner&) = delete;

  // Above the limit the answer is what to tell the controller instead; else nothing.
  std::optional<v1::LogLines> Start(const v1::LogRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(uint64_t request_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Stream {
    v1::LogRequest request;
    std::atomic<bool> cancelled = false;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void Read(Stream& stream) const;

  Runtime& runtime_;
  const std::size_t limit_;
  const Send send_;

  base::Mutex mutex_;
  std::list<Stream> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
