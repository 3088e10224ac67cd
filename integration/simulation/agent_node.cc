#include "integration/simulation/agent_node.h"

#include <utility>

namespace fairlead::simulation {

AgentNode::AgentNode(Stage& stage, const std::string& name, Ledger& ledger, uint64_t& streams,
                     const std::vector<std::string>& secrets)
    : stage_(stage),
      name_(name),
      ledger_(ledger),
      secrets_(secrets),
      host_(stage, name),
      link_(stage, name, streams) {
  link_.SetAgentEnd({.on_connected =
                         [this](StreamId stream) {
                           if (process_ != nullptr) process_->OnConnected(stream);
                         },
                     .on_message =
                         [this](StreamId stream, const v1::ControllerMessage& message) {
                           if (process_ != nullptr) process_->OnMessage(stream, message);
                         },
                     .on_disconnected =
                         [this](StreamId stream) {
                           if (process_ != nullptr) process_->OnDisconnected(stream);
                         }});
}

void AgentNode::Boot() {
  if (process_ != nullptr) return;
  process_ = std::make_unique<AgentProcess>(
      AgentProcess::Surroundings{
          stage_, host_, ledger_, disk_, link_,
          [this](const std::string& when) { Crash(when, stage_.random.Chance(0.3)); }},
      name_);
  process_->ForbidText(&secrets_);
  process_->Start();
}

void AgentNode::Crash(const std::string& when, bool power) {
  if (process_ == nullptr || std::exchange(dying_, true)) return;
  stage_.Fault(name_, power ? "power lost" : "agent killed", " ", when);
  process_->Kill();
  link_.AgentDied();
  if (power) {
    disk_.journal.Crash(stage_.random);
    StopEngine(stage_.random.Between(absl::Seconds(2), absl::Seconds(40)), true);
  }
  // What runs in the process now has to be left before it goes.
  stage_.timeline.After(absl::ZeroDuration(), [this] {
    process_.reset();
    dying_ = false;
    stage_.timeline.After(stage_.random.Between(absl::Milliseconds(100), absl::Seconds(20)),
                          [this] { Boot(); });
  });
}

void AgentNode::StopEngine(absl::Duration time, bool containers_die) {
  if (!host_.up) return;
  stage_.Fault(name_, "engine down", containers_die ? ", containers die" : "");
  host_.up = false;
  host_.engine.Die();
  host_.WakeWatcher();
  stage_.timeline.After(time, [this, containers_die] {
    if (containers_die) host_.engine.Reboot();
    host_.up = true;
    stage_.Say(name_, "engine is back");
  });
}

}  // namespace fairlead::simulation
