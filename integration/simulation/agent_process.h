// One run of an agent's program: the real session, runtime and report in a simulated shell.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "agent/container_records.h"
#include "agent/docker_runtime.h"
#include "agent/engine_client.h"
#include "agent/engine_report.h"
#include "agent/record_storage.h"
#include "agent/secret_texts.h"
#include "agent/session.h"
#include "integration/simulation/disk.h"
#include "integration/simulation/engine_wire.h"
#include "integration/simulation/fiber.h"
#include "integration/simulation/link.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

// What survives the process.
struct AgentDisk {
  DiskFile journal;
  DiskFile records;
  DiskFile secrets;
  // Nothing can be written until then.
  absl::Time full_until = absl::InfinitePast();
};

// Everything in it ends with Kill. Confined to one run.
class AgentProcess {
 public:
  // What it lives in; each outlives it.
  struct Surroundings {
    Stage& stage;
    EngineHost& host;
    Ledger& ledger;
    AgentDisk& disk;
    Link& link;
    // The process dies by itself at such a point.
    std::function<void(const std::string& when)> crash;
  };
  AgentProcess(Surroundings surroundings, std::string server);
  ~AgentProcess();
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  void Start();
  // No effect follows. Not to be destroyed before the fibers that run now are left.
  void Kill();
  bool idle() const { return jobs_.empty(); }
  // Text of ours that goes to the controller or into a log must hold none of these.
  void ForbidText(const std::vector<std::string>* secrets) { secrets_forbidden_ = secrets; }

  // From the link.
  void OnConnected(StreamId stream);
  void OnMessage(StreamId stream, const v1::ControllerMessage& message);
  void OnDisconnected(StreamId stream);

 private:
  struct Job {
    v1::Action action;
    absl::Time deadline;
    bool cancelled = false;
    bool running = false;
  };

  // agent_process.cc: the session's shell.
  void Perform(const agent::SessionCommands& commands);
  void PerformOne(const agent::SendMessage& command);
  void PerformOne(const agent::WriteRecord& command);
  void PerformOne(const agent::StartAction& command);
  void PerformOne(const agent::StopAction& command);
  void PerformOne(const agent::UseInstallation& command);
  void PerformOne(const agent::CloseStream& command);
  void OnDelta(const v1::HostDelta& delta);
  void PerformOne(const agent::StartLogs&) {}
  void PerformOne(const agent::StopLogs&) {}
  // Nothing is healed here without the controller.
  void PerformOne(const agent::UseTerms&) {}
  absl::Status Append(const v1::JournalRecord& record);
  agent::RecordStorage StorageOf(DiskFile& file);
  void Dial(absl::Duration after);
  void Tick();
  void CheckSecrets(const v1::AgentMessage& message);

  // agent_work.cc: what the threads of the real one do, in fibers.
  void StartJobs();
  void RunJob(const std::shared_ptr<Job>& job);
  void Watch();
  absl::Status WatchOnce();
  void Report();
  // Looks again and waits until that is said.
  void Refresh();
  void WakeReport();
  std::shared_ptr<Fiber> Spawn(const std::string& label, std::function<void()> body);
  absl::Time now() const { return in_.stage.timeline.now(); }

  const Surroundings in_;
  const std::string server_;
  const std::shared_ptr<Life> life_;
  const std::vector<std::string>* secrets_forbidden_ = nullptr;
  agent::SecretTexts secrets_;
  agent::ContainerRecords records_;
  std::shared_ptr<const agent::EngineTransport> wire_;
  agent::DockerRuntime runtime_;
  agent::EngineClient engine_;
  agent::EngineReport report_;
  std::unique_ptr<agent::Session> session_;

  StreamId stream_ = 0;
  int attempts_ = 0;
  absl::Time dialled_at_;

  std::deque<std::shared_ptr<Job>> queue_;
  // Queued and running, by action id.
  std::map<std::string, std::shared_ptr<Job>> jobs_;
  std::set<std::string> busy_resources_;
  std::size_t running_ = 0;

  agent::ReportWork work_;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  bool reporting_ = false;
  std::shared_ptr<Fiber> report_fiber_;
  // Those in Refresh.
  std::vector<std::weak_ptr<Fiber>> refreshers_;
  std::vector<std::shared_ptr<Fiber>> fibers_;
};

}  // namespace fairlead::simulation
