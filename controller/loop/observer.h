// What the loop tells of itself; metrics listen.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::loop {

// Thread-safe. Every method returns at once.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnPlanned(absl::Duration /*took*/, uint32_t /*open_steps*/) {}
  virtual void OnFetched(const std::string& /*sync*/, absl::Duration /*took*/,
                         const absl::Status& /*outcome*/) {}
  virtual void OnActionFinished(v1::StepAction /*action*/, v1::ActionStatus /*outcome*/,
                                absl::Duration /*took*/) {}
  virtual void OnDriftFound(const std::string& /*kind*/) {}
  virtual void OnDriftHealed(const std::string& /*kind*/) {}
  // Resources by kind and condition, as of the last planning pass.
  virtual void OnResources(
      const std::map<std::pair<std::string, v1::Condition>, uint32_t>& /*counts*/) {}
  virtual void OnQueueDepth(uint32_t /*events*/) {}
  virtual void OnAgents(uint32_t /*connected*/) {}
  // Time from a change on a host to its arrival here, by server.
  virtual void OnAgentLag(const std::string& /*server*/, absl::Duration /*lag*/) {}
  // accepted, bad_signature, too_large, unknown_sync, ignored, ...
  virtual void OnWebhook(absl::string_view /*provider*/, absl::string_view /*outcome*/) {}
  // Stable name of an event, such as "rolled-back".
  virtual void OnEvent(const v1::Event& /*event*/) {}
};

}  // namespace fairlead::loop
