// The controller: the real loop core and session table in a simulated shell.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "base/ids.h"
#include "controller/agents/session_table.h"
#include "controller/loop/core.h"
#include "integration/simulation/host_clock.h"
#include "integration/simulation/link.h"
#include "integration/simulation/remote.h"
#include "integration/simulation/stage.h"
#include "integration/simulation/store.h"
#include "resources/spec_hash.h"

namespace fairlead::simulation {

// The machine of the controller; processes on it come and go. Confined to one run.
class ControllerNode {
 public:
  // All outlive it.
  ControllerNode(Stage& stage, DurableStore& store, Remote& remote);
  ~ControllerNode();

  // Takes the controller's end of a link.
  void Serve(Link& link);

  void Boot();
  void Crash(const std::string& when);
  bool running() const { return process_ != nullptr; }
  HostClock& clock() { return clock_; }

  // An operator's request; ignored while nothing runs.
  void Request(const loop::OperatorRequest& request);
  void AllowDelete(uint32_t count);
  // A webhook: fetch soon.
  void Fetch();

  // As of the last pass; null while nothing runs or nothing was planned yet.
  std::shared_ptr<const loop::LoopView> View() const;
  // Nothing is queued or being written.
  bool idle() const;

 private:
  struct Process;
  using Work = std::function<void(loop::Core&, absl::Time)>;

  // The loop's thread.
  void Post(Work work);
  void Wake();
  void PassOnce();
  void Persist(std::shared_ptr<loop::CoreOutput> output);
  void Send(const loop::CoreOutput& output);
  void WatchTimers();
  void Tick();
  void Poll();
  // The registry: commands of the table go to links and to the loop.
  bool OnOpened(StreamId stream, Link& link);
  void CarryOut(const agents::TableCommands& commands);
  void SendStale(const loop::DispatchAction& dispatch);

  Stage& stage_;
  DurableStore& store_;
  Remote& remote_;
  HostClock clock_;
  const resources::SpecHasher hasher_;
  loop::Observer observer_;
  std::unique_ptr<Process> process_;
  // Counts processes: what an earlier one had planned does not happen.
  uint64_t life_ = 0;
  // For the planted bug: the last action of each resource.
  std::map<std::string, loop::DispatchAction> earlier_;
};

}  // namespace fairlead::simulation
