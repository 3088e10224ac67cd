// The faults of a round, as they are done to a fleet and undone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "integration/chaos/fleet.h"
#include "integration/chaos/invariants.h"
#include "integration/chaos/script.h"

namespace fairlead::chaos {

// Confined to one thread.
class Storm {
 public:
  // `fleet` and `by_hand` outlive it.
  Storm(Fleet& fleet, ByHand& by_hand) : fleet_(fleet), by_hand_(by_hand) {}

  void Begin(const Fault& fault);
  void End(const Fault& fault);
  // Everything that may be undone is, whatever was done.
  void Calm();
  // Faults that took effect, by kind.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  bool Do(const Fault& fault);
  bool HitContainers(const Fault& fault);
  void StartDockerd(int server);

  Fleet& fleet_;
  ByHand& by_hand_;
  std::map<std::string, int> counts_;
};

}  // namespace fairlead::chaos
