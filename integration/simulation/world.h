// A whole fleet in one thread: controller, agents, engines, links, people.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "integration/simulation/agent_node.h"
#include "integration/simulation/controller_node.h"
#include "integration/simulation/fleet.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/remote.h"
#include "integration/simulation/stage.h"
#include "integration/simulation/store.h"

namespace fairlead::simulation {

// Wires the parts. Confined to one run; log lines of its thread come here while it lives.
class World {
 public:
  World(Stage& stage, std::size_t agents);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Everything starts, with a first commit.
  void Boot();
  // The fleet's files as they are now become the head of the remote.
  void Commit();
  void CommitBroken();

  Stage& stage() { return stage_; }
  Fleet& fleet() { return fleet_; }
  Remote& remote() { return remote_; }
  DurableStore& store() { return store_; }
  ControllerNode& controller() { return controller_; }
  std::vector<std::unique_ptr<AgentNode>>& nodes() { return nodes_; }
  AgentNode& AnyNode() { return *nodes_[stage_.random.Below(nodes_.size())]; }
  // Of the files at the head of the remote.
  const std::map<std::string, Wish>& committed() const { return committed_; }

 private:
  void OnLogLine(absl::string_view area, absl::string_view message);
  void ForbidSecrets();

  Stage& stage_;
  Fleet fleet_;
  Remote remote_;
  DurableStore store_;
  Ledger ledger_;
  uint64_t streams_ = 0;
  ControllerNode controller_;
  std::vector<std::unique_ptr<AgentNode>> nodes_;
  std::map<std::string, Wish> committed_;
  // Those the store knows of.
  std::size_t forbidden_ = 0;
  const base::LogSink sink_;
};

}  // namespace fairlead::simulation
