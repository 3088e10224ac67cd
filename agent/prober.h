// Who asks containers how they are.
#pragma once

#include <set>
#include <string>

#include "absl/time/time.h"

#include "agent/probe_schedule.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// Told which containers run and says what was found of them so far; no call waits for a container.
// Thread-safe.
class Prober {
 public:
  // One run of one container.
  struct Subject {
    std::string id;
    ProbeDefinition definition;
    // An IP address; empty: it has none.
    std::string address;
    absl::Time started_at;
  };
  struct Finding {
    v1::ContainerHealth health = v1::CONTAINER_HEALTH_STARTING;
    std::string failure;
  };

  virtual ~Prober() = default;
  // Begins with a run that is new, goes on with a known one.
  virtual Finding Watch(const Subject& subject) = 0;
  virtual void Forget(const std::string& container_id) = 0;
  // Forgets all others.
  virtual void Keep(const std::set<std::string>& container_ids) = 0;
};

}  // namespace fairlead::agent
