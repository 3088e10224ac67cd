// The network between one agent and the controller.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"

#include "fairlead/v1/agent.pb.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

using StreamId = uint64_t;

// Streams as gRPC gives them: within one, what arrives arrives in order and once, after a delay.
// Messages are lost only with their stream, and then both ends learn of it at times of their own,
// or one of them never does. So messages are lost from any point on, arrive twice (sent again on
// the next stream) and out of order (an old stream is still read when the next one is open).
// Deltas are also doubled and swapped within a stream, because their numbers promise to tell.
class Link {
 public:
  struct AgentEnd {
    std::function<void(StreamId)> on_connected;
    std::function<void(StreamId, const v1::ControllerMessage&)> on_message;
    // The stream ended, or could not be opened.
    std::function<void(StreamId)> on_disconnected;
  };
  struct ControllerEnd {
    // False: nobody listens.
    std::function<bool(StreamId, Link&)> on_opened;
    std::function<void(StreamId, const v1::AgentMessage&)> on_message;
    std::function<void(StreamId)> on_closed;
  };

  // `streams` numbers the streams of all links.
  Link(Stage& stage, std::string name, uint64_t& streams);

  void SetAgentEnd(AgentEnd end) { agent_ = std::move(end); }
  void SetControllerEnd(ControllerEnd end) { controller_ = std::move(end); }

  // The agent's side. One stream at a time; on_connected or on_disconnected follows.
  StreamId Dial();
  void SendToController(StreamId stream, const v1::AgentMessage& message);
  void CloseByAgent(StreamId stream);

  // The controller's side.
  void SendToAgent(StreamId stream, const v1::ControllerMessage& message);
  // After what was sent before.
  void CloseByController(StreamId stream);

  // Everything on the way is lost; each end hears of it after a while, the agent's at most after
  // its keepalive. With `controller_hears` false its table has to find out.
  void Cut(bool controller_hears);
  // Nothing moves until then.
  void Stall(absl::Duration time);
  // No stream can be opened until then, and the open one is cut.
  void Partition(absl::Duration time);
  // The controller's or the agent's process is gone, its machine is not.
  void ControllerDied();
  void AgentDied();

 private:
  struct Stream {
    bool agent_open = false;
    bool controller_open = false;
    // What is sent into it arrives nowhere.
    bool dead = false;
    absl::Time last_to_controller;
    absl::Time last_to_agent;
    std::optional<v1::AgentMessage> held;
  };

  absl::Time ArrivalAfter(absl::Time& last);
  void Carry(StreamId id, Stream& stream, const v1::AgentMessage& message);
  void ReleaseHeld(StreamId id);
  void EndForAgent(StreamId id, absl::Duration after);
  void EndForController(StreamId id, absl::Duration after);
  Stream* Find(StreamId id);

  Stage& stage_;
  const std::string name_;
  uint64_t& stream_count_;
  AgentEnd agent_;
  ControllerEnd controller_;
  std::map<StreamId, Stream> streams_;
  absl::Time stalled_until_ = absl::InfinitePast();
  absl::Time cut_off_until_ = absl::InfinitePast();
};

}  // namespace fairlead::simulation
