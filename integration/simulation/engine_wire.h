// The socket between an agent and its engine.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/engine_transport.h"
#include "integration/simulation/engine.h"
#include "integration/simulation/fiber.h"
#include "integration/simulation/host_clock.h"
#include "integration/simulation/ledger.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

// The engine of a host, with what is wrong with it now.
struct EngineHost {
  std::string server;
  HostClock clock;
  Engine engine;
  // The daemon answers.
  bool up = true;
  // Chance of a fault with each call.
  double trouble = 0;
  // Who reads the event stream; told when there is something to read.
  std::weak_ptr<Fiber> watcher;

  EngineHost(Stage& stage, std::string name)
      : server(name), clock(stage.timeline), engine(stage, clock, std::move(name)) {
    engine.OnEvent([this] { WakeWatcher(); });
  }
  void WakeWatcher() {
    if (const std::shared_ptr<Fiber> fiber = watcher.lock()) fiber->Wake();
  }
};

// A process of an agent; once it is dead nothing it does has an effect.
struct Life {
  bool alive = true;
};

// Serves the calls of one agent process; each runs in a fiber, whose label is the action it
// works for. `crash` kills that process.
class EngineWire final : public agent::EngineTransport {
 public:
  EngineWire(Stage& stage, EngineHost& host, Ledger& ledger, std::shared_ptr<Life> life,
             std::function<void(const std::string& when)> crash)
      : stage_(stage),
        host_(host),
        ledger_(ledger),
        life_(std::move(life)),
        crash_(std::move(crash)) {}

  absl::StatusOr<agent::HttpResponse> Stream(const agent::HttpRequest& request,
                                             const StreamHooks& hooks,
                                             const agent::CallLimits& limits) const override;

 private:
  absl::StatusOr<agent::HttpResponse> Events(const StreamHooks& hooks,
                                             const agent::CallLimits& limits) const;
  absl::StatusOr<agent::HttpResponse> Exchange(const agent::HttpRequest& request,
                                               const agent::CallLimits& limits) const;
  // Answers when the caller may have gone, as an engine under load does.
  absl::StatusOr<agent::HttpResponse> FinishLate(const agent::HttpRequest& request,
                                                 const std::string& action,
                                                 const agent::CallLimits& limits) const;
  Engine::Answer Perform(const agent::HttpRequest& request, const std::string& action) const;
  // Until then, or until the limits end the call.
  absl::Status Wait(absl::Time until, const agent::CallLimits& limits) const;
  absl::Duration TimeFor(const agent::HttpRequest& request) const;

  Stage& stage_;
  EngineHost& host_;
  Ledger& ledger_;
  const std::shared_ptr<Life> life_;
  const std::function<void(const std::string& when)> crash_;
};

}  // namespace fairlead::simulation
