// Live state of a Docker engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/container_records.h"
#include "agent/container_watch.h"
#include "agent/docker_runtime.h"
#include "agent/engine_client.h"
#include "agent/live_view.h"
#include "agent/reporter.h"
#include "agent/secret_texts.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

// Two threads: one does nothing but read the engine's events, because the engine drops events of
// a slow reader; the other looks at what they name and calls back. Lists everything after a
// connect, every minute and on Refresh. Thread-safe.
class DockerReporter final : public Reporter {
 public:
  // All references outlive this; `records` are loaded.
  DockerReporter(const DockerOptions& options, ContainerRecords& records,
                 const SecretTexts& secrets, const base::Clock& clock,
                 base::Random& random = base::Random::Real());
  ~DockerReporter() override;

  void Start(Callbacks callbacks) override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetInstallation(const std::string& installation, const std::string& key_id,
                       const std::string& key) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Refresh() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What the reporting thread is to do next.
  struct Work {
    // The event stream is open since this time.
    std::optional<absl::Time> connected_at;
    v1::EngineVersion version;
    // The engine does not answer.
    std::optional<std::string> down;
    // Say everything again under this identity.
    std::shared_ptr<const resources::SpecHasher> hasher;
    std::string installation;
    // Look again: at what the list shows to have changed, or at every container.
    bool refresh = false;
    bool inspect_all = false;
    // The newest Refresh that this answers.
    uint64_t ticket = 0;
    std::vector<EngineEvent> events;

    bool IsEmpty() const {
      return !connected_at && !down && hasher == nullptr && !refresh && events.empty();
    }
  };

  // The event thread.
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WatchOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when stopping.
  bool Pause(absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The reporting thread.
  void Report() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Work> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void Do(const Work& work);
  // Ends the Refresh calls that `work` answers.
  void Answer(const Work& work) ABSL_LOCKS_EXCLUDED(mutex_);
  void SayDown(const std::string& error);
  void SayAll();
  void SayState();
  void LookAgain(bool inspect_all);
  void PlanNextList(const absl::Status& status);
  void OnEvents(const std::vector<EngineEvent>& events);
  void Look(const EngineEvent& event, v1::HostDelta& delta);

  const base::Clock& clock_;
  base::Random& random_;
  const EngineClient engine_;
  Callbacks callbacks_;
  std::thread watch_thread_;
  std::thread report_thread_;

  // Confined to the reporting thread.
  ContainerWatch watch_;
  LiveView view_;
  v1::EngineVersion version_;
  std::optional<absl::Time> connected_at_;
  bool has_identity_ = false;
  bool up_ = false;
  // on_state was called, so that deltas have something to change.
  bool said_ = false;
  // A list failed: say all as soon as one succeeds.
  bool owes_all_ = false;
  std::string error_;
  absl::Time next_list_ = absl::InfiniteFuture();

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  Work work_ ABSL_GUARDED_BY(mutex_);
  // Refresh calls so far, and those that are answered.
  uint64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool identified_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::agent
