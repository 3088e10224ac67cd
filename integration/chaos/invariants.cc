#include "integration/chaos/invariants.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace fairlead::chaos {

namespace {

std::string EnvironmentOf(const SeenContainer& container, absl::string_view key) {
  for (const std::string& one : container.environment) {
    if (absl::StartsWith(one, absl::StrCat(key, "="))) return one.substr(key.size() + 1);
  }
  return "";
}

std::string ToText(const SeenContainer& container) {
  return absl::StrCat(container.name, " ", container.id.substr(0, 12), " at host-",
                      container.server, ", ", container.state, ", ", container.image, ", REV ",
                      EnvironmentOf(container, "REV"));
}

std::string ToText(const std::vector<const SeenContainer*>& containers) {
  std::vector<std::string> texts;
  for (const SeenContainer* container : containers) texts.push_back(ToText(*container));
  return texts.empty() ? "none" : absl::StrJoin(texts, "; ");
}

std::string ToText(const Expected& expected) {
  std::vector<std::string> texts;
  for (const Spec& spec : expected.specs) {
    texts.push_back(absl::StrCat("at host-", spec.server, ", ", spec.stopped ? "stopped" : "runs",
                                 ", ", spec.image, ", REV ", spec.revision));
  }
  if (expected.may_be_missing) texts.emplace_back("none");
  return absl::StrJoin(texts, " or ");
}

std::string ToText(const SeenResource& status) {
  return absl::StrCat(status.condition, " (", status.reason, ") ", status.gate);
}

bool HasToken(const Expected& expected, const Spec& spec, const SeenContainer& container) {
  const std::string token = EnvironmentOf(container, "TOKEN");
  if (expected.must_converge) return token == spec.token;
  // The last good spec is filled in with the value that the variable has now.
  return token.empty() == spec.token.empty();
}

bool HasState(const Expected& expected, const Spec& spec, const SeenContainer& container) {
  if (expected.any_state) return true;
  if (expected.kind == Kind::kJob) return container.state == "exited" && container.exit_code == 0;
  return (container.state == "running") != spec.stopped;
}

bool IsService(const SeenContainer& container, absl::string_view service, absl::string_view image) {
  return container.service == service && container.image == image;
}

// Whether these containers are what `spec` asks for, all of it and nothing else.
bool Matches(const Expected& expected, const Spec& spec,
             const std::vector<const SeenContainer*>& containers) {
  for (const SeenContainer* one : containers) {
    if (one->server != spec.server || !HasState(expected, spec, *one)) return false;
  }
  if (expected.kind == Kind::kStack) {
    if (containers.size() != 2) return false;
    const bool in_order = containers[0]->service == "front";
    const SeenContainer& front = *containers[in_order ? 0 : 1];
    return IsService(front, "front", spec.image) &&
           IsService(*containers[in_order ? 1 : 0], "back", "fl/app:1") &&
           EnvironmentOf(front, "REV") == absl::StrCat(spec.revision);
  }
  return containers.size() == 1 && containers[0]->image == spec.image &&
         EnvironmentOf(*containers[0], "REV") == absl::StrCat(spec.revision) &&
         HasToken(expected, spec, *containers[0]) &&
         !absl::EndsWith(containers[0]->name, ".fairlead-old");
}

void CheckContainers(const std::string& resource, const Expected& expected,
                     const std::vector<const SeenContainer*>& containers, Violations& violations) {
  if (containers.empty() && expected.may_be_missing) return;
  for (const Spec& spec : expected.specs) {
    if (Matches(expected, spec, containers)) return;
  }
  violations.push_back(
      absl::StrCat(resource, ": expected ", ToText(expected), "; seen ", ToText(containers)));
}

bool IsWell(const Expected& expected, const std::string& condition) {
  if (expected.kind == Kind::kJob) return condition == "COMPLETED";
  const bool stopped = expected.specs.front().stopped;
  return condition == (stopped ? "STOPPED" : "CONVERGED");
}

void CheckStatus(const std::string& resource, const Expected& expected, const Observation& seen,
                 Violations& violations) {
  const auto found = seen.resources.find(resource);
  if (found == seen.resources.end()) {
    if (!expected.may_be_unknown) violations.push_back(resource + ": declared, but not listed");
    return;
  }
  const SeenResource& status = found->second;
  const std::string text = ToText(status);
  if (expected.must_converge) {
    if (!IsWell(expected, status.condition)) {
      violations.push_back(absl::StrCat(resource, ": expected to be well; seen ", text));
    }
    return;
  }
  static const std::set<std::string> kExplained = {"INVALID", "DEGRADED", "BLOCKED", "MISSING",
                                                   "CRASH_LOOP"};
  // What only waits for others may be well as it is.
  const bool waits = expected.any_state;
  if (!kExplained.contains(status.condition) &&
      !(waits && (IsWell(expected, status.condition) || status.condition == "COMPLETED" ||
                  status.condition == "CONVERGED" || status.condition == "STOPPED"))) {
    violations.push_back(
        absl::StrCat(resource, ": expected a state that names its flaw; seen ", text));
  } else if (kExplained.contains(status.condition) && status.reason.empty() &&
             status.problems == 0) {
    violations.push_back(absl::StrCat(resource, ": ", status.condition, " without a reason"));
  }
}

using ByResource = std::map<std::string, std::vector<const SeenContainer*>>;

ByResource Group(const Observation& seen) {
  ByResource groups;
  for (const SeenContainer& container : seen.containers) {
    if (!container.resource.empty()) groups[container.resource].push_back(&container);
  }
  return groups;
}

// What is there of resources that no file declares.
void CheckUndeclared(const Expectation& expectation, const ByResource& groups,
                     const Observation& seen, Violations& violations) {
  for (const auto& [resource, containers] : groups) {
    if (expectation.declared.contains(resource)) continue;
    const auto status = seen.resources.find(resource);
    const bool listed = status != seen.resources.end();
    if (!expectation.has_errors || !expectation.lingering.contains(resource)) {
      violations.push_back(absl::StrCat(resource, ": declared nowhere; seen ", ToText(containers),
                                        ", ", listed ? ToText(status->second) : "not listed"));
    } else if (!listed || status->second.reason.empty()) {
      violations.push_back(absl::StrCat(resource, ": not pruned, and nothing says why"));
    }
  }
  for (const auto& [resource, status] : seen.resources) {
    const bool acted =
        absl::StartsWith(resource, "deployment/") || absl::StartsWith(resource, "stack/");
    if (acted && !expectation.declared.contains(resource) && !groups.contains(resource) &&
        !expectation.has_errors) {
      violations.push_back(absl::StrCat(resource, ": declared nowhere, but listed as ",
                                        status.condition, " (", status.reason, ")"));
    }
  }
}

}  // namespace

Violations CheckRest(const Expectation& expectation, const std::string& head,
                     const Observation& seen) {
  if (!seen.trouble.empty()) return {seen.trouble};
  Violations violations;
  if (seen.revision.empty() || !absl::StartsWith(head, seen.revision)) {
    violations.push_back(absl::StrCat("sync main: expected at ", head.substr(0, 7), "; seen at \"",
                                      seen.revision, "\""));
  }
  for (int server = 1; server <= kServers; ++server) {
    const auto found = seen.servers.find(absl::StrCat("host-", server));
    if (found == seen.servers.end() || found->second != "online") {
      violations.push_back(absl::StrCat("host-", server, ": expected online; seen ",
                                        found == seen.servers.end() ? "nothing" : found->second));
    }
  }
  ByResource groups = Group(seen);
  for (const auto& [resource, expected] : expectation.declared) {
    CheckStatus(resource, expected, seen, violations);
    CheckContainers(resource, expected, groups[resource], violations);
  }
  std::erase_if(groups, [](const auto& group) { return group.second.empty(); });
  CheckUndeclared(expectation, groups, seen, violations);
  return violations;
}

Violations CheckBystanders(const Observation& before, const Observation& now) {
  std::map<std::string, const SeenContainer*> there;
  for (const SeenContainer& container : now.containers) {
    if (container.resource.empty()) there[container.id] = &container;
  }
  Violations violations;
  for (const SeenContainer& container : before.containers) {
    if (!container.resource.empty()) continue;
    const auto found = there.find(container.id);
    if (found == there.end()) {
      violations.push_back(absl::StrCat("bystander ", ToText(container), ": is gone"));
      continue;
    }
    const std::string& text = found->second->text;
    if (text != container.text) {
      const auto [was, is] =
          std::mismatch(container.text.begin(), container.text.end(), text.begin(), text.end());
      violations.push_back(absl::StrCat("bystander ", ToText(container), ": expected ...",
                                        std::string(was, std::min(was + 120, container.text.end())),
                                        "; seen ...",
                                        std::string(is, std::min(is + 120, text.end()))));
    }
    there.erase(found);
  }
  for (const auto& [id, container] : there) {
    violations.push_back(absl::StrCat("container of nobody: ", ToText(*container)));
  }
  return violations;
}

Violations CheckKept(const std::set<std::string>& untouched, const Observation& before,
                     const Observation& now) {
  const ByResource old_groups = Group(before);
  const ByResource groups = Group(now);
  Violations violations;
  for (const std::string& resource : untouched) {
    const auto was = old_groups.find(resource);
    const auto is = groups.find(resource);
    if (was == old_groups.end() || is == groups.end()) continue;
    std::set<std::string> ids;
    for (const SeenContainer* container : is->second) ids.insert(container->id);
    for (const SeenContainer* container : was->second) {
      if (ids.contains(container->id)) continue;
      violations.push_back(absl::StrCat(resource, ": nobody touched it; expected ",
                                        ToText(*container), "; seen ", ToText(is->second)));
    }
  }
  return violations;
}

Violations CheckEvents(const std::vector<EngineEvent>& events, const ByHand& by_hand) {
  // By server, action and service of the compose project.
  std::map<std::tuple<int, std::string, std::string>, std::vector<const EngineEvent*>> made;
  std::map<std::string, int> restarts;
  std::set<std::string> unhealthy;
  // When the containers began whose health check has not answered since.
  std::map<std::string, absl::Time> unanswered;
  for (const EngineEvent& event : events) {
    if (event.resource.empty()) continue;
    if (event.what == "create") made[{event.server, event.action, event.service}].push_back(&event);
    const absl::Time time = absl::FromUnixNanos(event.nanoseconds);
    if (event.what == "restart") {
      const auto silent = unanswered.find(event.id);
      const bool is_heal = silent != unanswered.end() && time - silent->second >= kHealthTimeout;
      if (!is_heal) ++restarts[event.resource];
    }
    if (event.what == "create" || event.what == "restart") unanswered[event.id] = time;
    if (absl::StartsWith(event.what, "health_status")) unanswered.erase(event.id);
    if (event.what == "health_status: unhealthy") unhealthy.insert(event.resource);
  }
  Violations violations;
  for (const auto& [key, creations] : made) {
    std::size_t allowed = 1;
    for (const EngineEvent* one : creations) allowed += by_hand.removed.contains(one->id) ? 1 : 0;
    if (creations.size() <= allowed) continue;
    violations.push_back(absl::StrCat(creations[0]->resource, " at host-", std::get<0>(key),
                                      ": action \"", std::get<1>(key), "\" has made ",
                                      creations.size(), " containers, expected ", allowed));
  }
  for (const auto& [resource, count] : restarts) {
    const auto asked = by_hand.restarts.find(resource);
    const int most = asked == by_hand.restarts.end() ? 0 : asked->second;
    // An unhealthy container is healed by the same call, as is one whose check never answered.
    if (count <= most || unhealthy.contains(resource)) continue;
    violations.push_back(absl::StrCat(resource, ": restarted ", count, " times, asked for ", most));
  }
  return violations;
}

Violations CheckOffices(const std::vector<SeenOffice>& offices) {
  Violations violations;
  for (std::size_t i = 1; i < offices.size(); ++i) {
    const SeenOffice& before = offices[i - 1];
    const SeenOffice& next = offices[i];
    if (next.term != before.term + 1) {
      violations.push_back(
          absl::StrCat("term ", next.term, " follows term ", before.term, ", not the next one"));
    }
    if (before.expires > next.began) {
      violations.push_back(absl::StrCat("term ", next.term, " began ", before.expires - next.began,
                                        " us before the lease of term ", before.term, " ended"));
    }
    if (before.stopped > next.began) {
      violations.push_back(absl::StrCat("in term ", before.term, " ", before.stopped - next.began,
                                        " us were acted after term ", next.term, " had begun"));
    }
  }
  return violations;
}

Violations CheckIssued(const std::vector<IssuedAction>& actions) {
  Violations violations;
  std::set<std::string> ids;
  for (const IssuedAction& action : actions) {
    if (!ids.insert(action.id).second) {
      violations.push_back(absl::StrCat("action ", action.id, " was issued twice"));
    }
    if (action.record_term != action.writer_term) {
      violations.push_back(absl::StrCat("action ", action.id, " of term ", action.record_term,
                                        " was issued in term ", action.writer_term));
    }
  }
  return violations;
}

Violations CheckSecrets(const std::string& where, const std::string& text) {
  Violations violations;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StrContains(line, kSecretMark)) continue;
    violations.push_back(absl::StrCat(where, ": a secret in: ", line.substr(0, 300)));
  }
  return violations;
}

}  // namespace fairlead::chaos
