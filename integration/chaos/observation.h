// What is seen of a fleet from outside: by inspect, by the events of the engines, by the CLI.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::chaos {

struct SeenContainer {
  int server = 1;
  std::string id;
  std::string name;
  // Labels; empty without them.
  std::string resource;
  std::string action;
  std::string service;
  std::string image;
  // "running", "exited", "created"...
  std::string state;
  int exit_code = 0;
  std::string started_at;
  std::vector<std::string> environment;
  // All that inspect says.
  std::string text;
};

struct SeenResource {
  // Without its prefix: "CONVERGED".
  std::string condition;
  std::string reason;
  // "BACKOFF", "OPEN"...; empty without a step.
  std::string gate;
  int problems = 0;
};

struct Observation {
  std::vector<SeenContainer> containers;
  // By resource, "deployment/web".
  std::map<std::string, SeenResource> resources;
  // Of the sync.
  std::string revision;
  // Of servers, by name: "online".
  std::map<std::string, std::string> servers;
  // Empty: everything was answered.
  std::string trouble;
};

// The array that `docker inspect` prints.
std::vector<SeenContainer> ParseInspect(int server, absl::string_view json);
// What `fairlead get all -o json` prints goes into resources and servers, and the revision of the
// sync "main".
void ParseResources(absl::string_view json, Observation& observation);

struct EngineEvent {
  int server = 1;
  // "create", "destroy", "restart"..., of a container.
  std::string what;
  std::string id;
  std::string resource;
  std::string action;
  std::string service;
  int64_t nanoseconds = 0;
};

// One line of `docker events --format '{{json .}}'`; nothing when it is not about a container.
std::optional<EngineEvent> ParseEvent(int server, absl::string_view line);

}  // namespace fairlead::chaos
