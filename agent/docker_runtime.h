// Actions against a Docker engine.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"

#include "agent/allow_list.h"
#include "agent/container_records.h"
#include "agent/engine_client.h"
#include "agent/once_record.h"
#include "agent/runtime.h"
#include "agent/secret_texts.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

struct ActionScope;
class BuildRuntime;
class ComposeRuntime;
class GitCheckouts;
class RepoRuntime;

struct DockerOptions {
  // unix:///path or tcp://host:port.
  std::string engine = "unix:///var/run/docker.sock";
  // Stack files and records live below it.
  std::string data_directory;
  // What may be done at all.
  AllowList allowed;
  // Instead of HTTP to `engine`; for simulated engines.
  std::shared_ptr<const EngineTransport> transport = nullptr;
};

// HTTP to the engine of `options`, unless they bring a transport. `clock` outlives it.
std::shared_ptr<const EngineTransport> TransportOf(const DockerOptions& options,
                                                   const base::Clock& clock);

// Thread-safe. Holds no state of actions: the engine and the records say how far one is.
class DockerRuntime final : public Runtime {
 public:
  // `records`, `secrets` and `clock` outlive this; `records` are loaded. What only running actions
  // need on disk goes: no other runtime uses the data directory.
  DockerRuntime(DockerOptions options, ContainerRecords& records, SecretTexts& secrets,
                const base::Clock& clock);
  ~DockerRuntime() override;

  v1::ActionOutcome Run(const v1::Action& action, const ActionContext& context) override;
  absl::Status Logs(const v1::LogRequest& request,
                    const std::function<void(const v1::LogLines&)>& send,
                    const std::function<bool()>& is_cancelled) override;
  void SetInstallation(const std::string& installation, const std::string& key_id,
                       const std::string& key) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(const std::string& action_id) override;

 private:
  struct Identity {
    std::string installation;
    std::shared_ptr<const resources::SpecHasher> hasher;
  };
  Identity identity() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Dispatch(ActionScope& scope) const;
  // What people have done beside what is declared.
  absl::Status DispatchJob(ActionScope& scope) const;

  const DockerOptions options_;
  ContainerRecords& records_;
  SecretTexts& secrets_;
  const base::Clock& clock_;
  const EngineClient engine_;
  const OnceRecord once_;
  const std::unique_ptr<ComposeRuntime> compose_;
  const std::unique_ptr<GitCheckouts> checkouts_;
  const std::unique_ptr<RepoRuntime> repos_;
  const std::unique_ptr<BuildRuntime> builds_;
  mutable base::Mutex mutex_;
  Identity identity_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::agent
