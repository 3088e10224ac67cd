// The plan of a chaos run, from its seed: pure, the same on every machine.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "integration/chaos/expectation.h"
#include "integration/chaos/world.h"
#include "integration/simulation/random.h"

namespace fairlead::chaos {

enum class FaultKind {
  // SIGKILL; started again after `span`.
  kKillController,
  kKillAgent,
  kKillDockerd,
  // By a shell on the host, of the containers of `resource`.
  kKillContainer,
  kRemoveContainer,
  // SIGSTOP for `span`.
  kStopController,
  kStopAgent,
  kStopDockerd,
  // The link between controller and agent, for `span`: down, slow, or losing packets.
  kCutLink,
  kSlowLink,
  kDropLink,
  // The disk of the agent's data is full for `span`.
  kFillDisk,
  // The controller's wall clock is moved by `jump`, and stays so.
  kJumpClock,
  // Only with several controllers: the database crashes and is started again after `span`; the link
  // between it and the controller is cut for `span`.
  kCrashDatabase,
  kCutDatabase,
};
// Of a run with one controller, and with several.
inline constexpr int kFaultKinds = 13;
inline constexpr int kSharedFaultKinds = 15;

// "kill-controller".
const char* NameOf(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kKillController;
  // From the begin of the round.
  absl::Duration at;
  absl::Duration span;
  // 1 to kServers.
  int server = 1;
  // From 1.
  int controller = 1;
  std::string resource;
  absl::Duration jump;
};

struct ScriptedCommit {
  absl::Duration at;
  std::string subject;
  World world;
};

// `fairlead restart` by an operator.
struct ScriptedRestart {
  absl::Duration at;
  std::string resource;
};

struct Round {
  int number = 0;
  std::vector<ScriptedCommit> commits;
  std::vector<Fault> faults;
  std::vector<ScriptedRestart> restarts;
  // All faults are over.
  absl::Duration length;
};

// One line for each thing that happens.
std::string Describe(const Round& round);

// Writes one round after the other. What round k does depends on the seed and on k only. Confined
// to one thread.
class Script {
 public:
  // With more than one controller there are more faults, and they last longer.
  explicit Script(uint64_t seed, int controllers = 1);

  // The first commit of the run.
  const World& founded() const { return founded_; }
  // The next round, from 1 on.
  Round Next();
  // As it is before the next round.
  const Model& model() const { return model_; }

 private:
  Fault MakeFault(simulation::SeededRandom& random) const;

  const uint64_t seed_;
  const int controllers_;
  World founded_;
  Model model_;
  int number_ = 0;
};

}  // namespace fairlead::chaos
