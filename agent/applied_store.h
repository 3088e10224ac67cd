// What an agent keeps on disk for the time without a controller.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/autonomous_heal.h"
#include "fairlead/v1/journal.pb.h"

namespace fairlead::agent {

// A file for each resource, and one for the rest, below `folder`; only the agent's user can read
// them, because actions hold secret values. Every change is durable when it returns OK. Confined
// to one thread.
class AppliedStore {
 public:
  // An empty `folder` keeps nothing.
  explicit AppliedStore(std::string folder);

  // What cannot be read is left out: it is not healed until it is applied anew.
  absl::StatusOr<AppliedBodies> LoadBodies() const;
  absl::Status PutBody(const std::string& resource, const v1::AppliedBody& body) const;
  // One that is not there is removed.
  absl::Status RemoveBody(const std::string& resource) const;

  // NotFound before the first Put.
  absl::StatusOr<v1::AutonomyState> LoadState() const;
  absl::Status PutState(const v1::AutonomyState& state) const;

 private:
  std::string PathOf(const std::string& resource) const;

  const std::string folder_;
};

}  // namespace fairlead::agent
