// Asks containers how they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"

#include "agent/probe_schedule.h"
#include "agent/prober.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace fairlead::agent {

// One thread for all containers, begun with the first of them (docs/adr/0010). Thread-safe.
class HealthProber final : public Prober {
 public:
  // Called from the prober's thread, without its lock, when what Watch returns is another now.
  using OnChange = std::function<void(const std::string& container_id)>;

  // `clock` outlives this.
  explicit HealthProber(const base::Clock& clock, std::size_t most_at_once = 32);
  ~HealthProber() override;
  HealthProber(const HealthProber&) = delete;
  HealthProber& operator=(const HealthProber&) = delete;

  // Before the first Watch.
  void SetOnChange(OnChange on_change) { on_change_ = std::move(on_change); }
  // No OnChange follows.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  Finding Watch(const Subject& subject) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(const std::string& container_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(const std::set<std::string>& container_ids) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Run {
    Subject subject;
    ProbeSchedule schedule;
    // Tells an answer to an earlier run.
    uint64_t number = 0;
  };
  // What only the thread touches; hides Asio.
  struct Loop;

  void StartThreadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the thread: asks what is due, sets the timer for the rest.
  void AskDue() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAnswer(const std::string& container_id, uint64_t number, const absl::Status& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const base::Clock& clock_;
  const std::size_t most_at_once_;
  OnChange on_change_;
  std::unique_ptr<Loop> loop_;
  base::Mutex mutex_;
  std::map<std::string, Run> runs_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  // Questions without an answer yet.
  std::size_t asking_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace fairlead::agent
