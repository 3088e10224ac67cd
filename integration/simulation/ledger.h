// What actions did, counted on the engines' side.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

#include "agent/engine_transport.h"
#include "fairlead/v1/action.pb.h"
#include "integration/simulation/engine.h"
#include "integration/simulation/stage.h"
#include "integration/simulation/store.h"

namespace fairlead::simulation {

// Knows nothing of journals: it sees requests as they reach an engine, and what became of them.
// Confined to one run.
class Ledger {
 public:
  // Both outlive it.
  Ledger(Stage& stage, const DurableStore& store) : stage_(stage), store_(store) {}

  // A request is on its way to `engine`; `action` is on whose behalf, empty for looking around.
  void OnRequest(const std::string& server, const Engine& engine, const std::string& action,
                 const agent::HttpRequest& request);
  // The engine has answered it.
  void OnAnswer(const std::string& server, const Engine& engine, const std::string& action,
                const agent::HttpRequest& request, const Engine::Answer& answer);

 private:
  // While a name passes from one container to another, one that runs has it.
  void CheckName(const std::string& server, const Engine& engine,
                 const v1::FinishReplacement& finish, const Engine::Container& container);

  Stage& stage_;
  const DurableStore& store_;
  // By action and container: restarts that took effect.
  std::map<std::string, int> restarts_;
};

// "/v1.41/containers/ID/stop?t=10": the id and the verb; both empty for others.
std::pair<std::string, std::string> TargetOf(const agent::HttpRequest& request);

// A request that changes containers.
bool ChangesContainers(const agent::HttpRequest& request);

}  // namespace fairlead::simulation
