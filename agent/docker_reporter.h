// Live state of a Docker engine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "agent/container_records.h"
#include "agent/docker_runtime.h"
#include "agent/engine_client.h"
#include "agent/engine_report.h"
#include "agent/health_prober.h"
#include "agent/reporter.h"
#include "agent/secret_texts.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace fairlead::agent {

// Two threads: one does nothing but read the engine's events, because the engine drops events of
// a slow reader; the other looks at what they name and calls back. Lists everything after a
// connect, every minute and on Refresh. What probes find comes to it as one more sort of event.
// Thread-safe.
class DockerReporter final : public Reporter {
 public:
  // All references outlive this; `records` are loaded.
  DockerReporter(const DockerOptions& options, ContainerRecords& records, SecretTexts& secrets,
                 const base::Clock& clock, base::Random& random = base::Random::Real());
  ~DockerReporter() override;

  void Start(Callbacks callbacks) override;
  void Stop() override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetInstallation(const std::string& installation, const std::string& key_id,
                       const std::string& key) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Refresh() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // The event thread.
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status WatchOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when stopping.
  bool Pause(absl::Duration time) ABSL_LOCKS_EXCLUDED(mutex_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The reporting thread.
  void Report() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<ReportWork> Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // From the prober's thread.
  void OnProbed(const std::string& container_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the Refresh calls that `work` answers.
  void Answer(const ReportWork& work) ABSL_LOCKS_EXCLUDED(mutex_);

  const base::Clock& clock_;
  base::Random& random_;
  const EngineClient engine_;
  std::thread watch_thread_;
  std::thread report_thread_;
  HealthProber prober_;

  // Confined to the reporting thread.
  EngineReport report_;

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  ReportWork work_ ABSL_GUARDED_BY(mutex_);
  // Refresh calls so far, and those that are answered.
  uint64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t answered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool identified_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::agent
