// What a controller's office means for its parts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"

#include "controller/loop/agent_link.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::controller {

// Lets through to agents only what is sent in office: an office ends by the clock, which may be
// before its loop hears of it. Thread-safe, as the link is.
class OfficeLink final : public loop::AgentLink {
 public:
  // `link` outlives it. `in_office` may be absent.
  OfficeLink(loop::AgentLink& link, std::function<bool()> in_office)
      : link_(link), in_office_(std::move(in_office)) {}

  bool Dispatch(const std::string& server, uint64_t session, const v1::Action& action) override {
    return IsOpen() && link_.Dispatch(server, session, action);
  }
  bool Cancel(const std::string& server, const std::string& action_id,
              const std::string& why) override {
    return IsOpen() && link_.Cancel(server, action_id, why);
  }
  bool AcknowledgeOutcome(const std::string& server, const std::string& action_id) override {
    return IsOpen() && link_.AcknowledgeOutcome(server, action_id);
  }

 private:
  bool IsOpen() const { return in_office_ == nullptr || in_office_(); }

  loop::AgentLink& link_;
  const std::function<bool()> in_office_;
};

// "controller-elected", for the log of events.
v1::Event ElectedEvent(int64_t term, const std::string& name);

// fairlead_controller_active and fairlead_controller_term, as /metrics has them.
std::string OfficeMetrics(bool active, int64_t term);

// endpoints.json in the data directory: where this process listens.
absl::Status WriteEndpoints(const std::string& data_dir, const std::string& grpc_address,
                            const std::string& http_address);

// Of "host:port".
std::string HostOf(const std::string& address);
std::string PortOf(const std::string& address);
// Empty when it cannot be told.
std::string MachineName();

}  // namespace fairlead::controller
