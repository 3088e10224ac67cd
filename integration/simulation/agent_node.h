// A host: its engine, its disk, its link, and the agent that runs on it now and then.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "integration/simulation/agent_process.h"
#include "integration/simulation/engine_wire.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/link.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

// Confined to one run; the stage, the ledger and the secrets outlive it.
class AgentNode {
 public:
  AgentNode(Stage& stage, const std::string& name, Ledger& ledger, uint64_t& streams,
            const std::vector<std::string>& secrets);

  void Boot();
  // The agent's process ends at once and is started again; with `power` the whole machine.
  void Crash(const std::string& when, bool power);
  bool running() const { return process_ != nullptr; }
  bool idle() const { return process_ != nullptr && process_->idle(); }
  // The engine is away until then.
  void StopEngine(absl::Duration time, bool containers_die);

  const std::string& name() const { return name_; }
  EngineHost& host() { return host_; }
  const EngineHost& host() const { return host_; }
  Link& link() { return link_; }
  AgentDisk& disk() { return disk_; }

 private:
  Stage& stage_;
  const std::string name_;
  Ledger& ledger_;
  const std::vector<std::string>& secrets_;
  EngineHost host_;
  AgentDisk disk_;
  Link link_;
  std::unique_ptr<AgentProcess> process_;
  // It was killed and is not taken away yet.
  bool dying_ = false;
};

}  // namespace fairlead::simulation
