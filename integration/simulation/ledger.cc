#include "integration/simulation/ledger.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/engine_json.h"
#include "fairlead/v1/action.pb.h"

namespace fairlead::simulation {

std::pair<std::string, std::string> TargetOf(const agent::HttpRequest& request) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  const std::vector<std::string> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  if (parts.size() < 3 || parts[1] != "containers") return {};
  if (request.method == "DELETE") return {parts[2], "remove"};
  return {parts[2], parts.size() > 3 ? parts[3] : parts[2]};
}

bool ChangesContainers(const agent::HttpRequest& request) {
  const std::string verb = TargetOf(request).second;
  return request.method != "GET" && !verb.empty() && verb != "wait";
}

void Ledger::OnRequest(const std::string& server, const Engine& engine, const std::string& action,
                       const agent::HttpRequest& request) {
  if (!ChangesContainers(request)) return;
  const auto [id, verb] = TargetOf(request);
  const v1::ActionRecord* const record = store_.OpenAction(action);
  if (record == nullptr) {
    stage_.Violate(server, ": ", verb, " of ", id, " for action \"", action,
                   "\", which the controller does not have open");
  }
  if (verb == "create") return;
  const Engine::Container* const container = engine.Find(id);
  if (container != nullptr && container->Label(agent::kInstallationLabel).empty()) {
    stage_.Violate(server, ": ", verb, " of the foreign container ", container->name);
  }
  if (container != nullptr && record != nullptr && record->action().has_finish_replacement() &&
      (verb == "rename" || verb == "stop" || verb == "remove")) {
    CheckName(server, engine, record->action().finish_replacement(), *container);
  }
}

void Ledger::CheckName(const std::string& server, const Engine& engine,
                       const v1::FinishReplacement& finish, const Engine::Container& container) {
  if (finish.keep() != v1::FinishReplacement::KEEP_NEW) return;
  const auto answers = [&](const Engine::Container& one) {
    return one.status == "running" && absl::EqualsIgnoreCase(one.name, finish.name());
  };
  if (!answers(container)) return;
  bool another_runs = false;
  for (const auto& [id, other] : engine.containers()) {
    if (id == container.id) continue;
    if (answers(other)) return;
    const bool is_of_it =
        other.Label(agent::kResourceLabel) == container.Label(agent::kResourceLabel);
    another_runs = another_runs || (is_of_it && other.status == "running");
  }
  if (another_runs) {
    stage_.Violate(server, ": nothing answers to ", finish.name(), " while it passes from ",
                   container.name);
  }
}

void Ledger::OnAnswer(const std::string& server, const Engine& engine, const std::string& action,
                      const agent::HttpRequest& request, const Engine::Answer& answer) {
  if (!ChangesContainers(request) || answer.status >= 300) return;
  const auto [id, verb] = TargetOf(request);
  const v1::ActionRecord* const record = store_.OpenAction(action);
  if (verb == "restart" && record != nullptr &&
      record->action().guarantee() == v1::ACTION_GUARANTEE_ONCE) {
    if (++restarts_[absl::StrCat(action, " ", id)] > 1) {
      stage_.Violate(server, ": action ", action, ", to be done once, restarted ", id, " again");
    }
  }
  if (verb != "create") return;
  int carrying = 0;
  for (const auto& [other, container] : engine.containers()) {
    if (container.Label(agent::kActionLabel) != action) continue;
    ++carrying;
    if (record != nullptr &&
        container.Label(agent::kSpecHashLabel) != record->action().spec_hash()) {
      stage_.Violate(server, ": action ", action, " made ", container.name,
                     " with a spec that is not the decided one");
    }
  }
  if (carrying > 1) {
    stage_.Violate(server, ": action ", action, " made ", carrying, " containers");
  }
}

}  // namespace fairlead::simulation
