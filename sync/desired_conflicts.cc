#include "sync/desired_conflicts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "resources/host_ports.h"
#include "resources/procedure_rules.h"
#include "resources/reference.h"
#include "sync/desired_resource.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

// Resources that are only observed or meant to be gone do not fight for a name.
bool HoldsName(const DesiredResource& resource) {
  return resource.spec != nullptr && !resource.docker_name.empty() && !resource.server.empty() &&
         resource.spec->deploy() && !resource.spec->template_() &&
         resource.spec->state() != v1::WANTED_STATE_ABSENT;
}

void AddNameConflict(const DesiredResource& resource, const DesiredResource& other,
                     std::vector<v1::Problem>& problems) {
  problems.push_back(
      MakeProblem(resource.id, resource.position, v1::SEVERITY_ERROR, "name-conflict",
                  absl::StrCat("derives the docker name \"", resource.docker_name,
                               "\" on server \"", resource.server, "\", as does ",
                               other.id.ToString(), " at ", PlaceText(other.position)),
                  "give one of them another name"));
}

void AddPortConflict(const DesiredResource& resource, const DesiredResource& other,
                     const resources::HostPort& port, std::vector<v1::Problem>& problems) {
  problems.push_back(MakeProblem(
      resource.id, resource.position, v1::SEVERITY_ERROR, "port-conflict",
      absl::StrCat("publishes port ", port.ToString(), " on server \"", resource.server,
                   "\", as does ", other.id.ToString(), " at ", PlaceText(other.position)),
      "change one of the ports, or bind them to different addresses"));
}

void AddCycles(const DesiredList& resources, const resources::AfterGraph& graph,
               absl::string_view what, ForeignProblems& problems) {
  if (graph.empty()) return;
  for (const std::vector<ResourceId>& cycle : resources::FindCycles(graph)) {
    const std::string path = resources::DescribeCycle(cycle);
    const std::set<ResourceId> members(cycle.begin(), cycle.end());
    for (const ResourceId& member : members) {
      const auto it = std::lower_bound(
          resources.begin(), resources.end(), member,
          [](const auto& resource, const ResourceId& id) { return resource->id < id; });
      if (it == resources.end() || (*it)->id != member) continue;
      problems[static_cast<size_t>(it - resources.begin())].push_back(MakeProblem(
          member, (*it)->position, v1::SEVERITY_ERROR, "cycle", absl::StrCat(what, path)));
    }
  }
}

}  // namespace

void FindNameConflicts(const DesiredList& resources, ForeignProblems& problems) {
  struct Key {
    // Containers and compose projects are different name spaces.
    absl::string_view kind;
    absl::string_view server;
    absl::string_view name;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const {
      return absl::Hash<std::pair<absl::string_view, absl::string_view>>()({key.server, key.name});
    }
  };
  absl::flat_hash_map<Key, size_t, KeyHash> first;
  first.reserve(resources.size());
  for (size_t i = 0; i < resources.size(); ++i) {
    const DesiredResource& resource = *resources[i];
    if (!HoldsName(resource)) continue;
    const auto [it, inserted] =
        first.try_emplace({resource.id.kind, resource.server, resource.docker_name}, i);
    if (inserted) continue;
    AddNameConflict(resource, *resources[it->second], problems[i]);
    AddNameConflict(*resources[it->second], resource, problems[it->second]);
  }
}

void FindPortConflicts(const DesiredList& resources, ForeignProblems& problems) {
  std::vector<resources::PortHolder> holders;
  std::vector<size_t> places;
  for (size_t i = 0; i < resources.size(); ++i) {
    if (resources[i]->ports.empty()) continue;
    holders.push_back({resources[i]->server, &resources[i]->ports});
    places.push_back(i);
  }
  for (const resources::PortConflict& conflict : resources::FindPortConflicts(holders)) {
    const size_t first = places[conflict.first];
    const size_t second = places[conflict.second];
    AddPortConflict(*resources[second], *resources[first], conflict.port, problems[second]);
    AddPortConflict(*resources[first], *resources[second], conflict.port, problems[first]);
  }
}

void FindAfterCycles(const DesiredList& resources, ForeignProblems& problems) {
  resources::AfterGraph graph;
  for (const auto& resource : resources) {
    if (!resource->after.empty()) graph.emplace_hint(graph.end(), resource->id, resource->after);
  }
  AddCycles(resources, graph, "waits for itself: ", problems);
}

void FindProcedureCycles(const DesiredList& resources, ForeignProblems& problems) {
  std::vector<std::string> names;
  const auto first = std::lower_bound(
      resources.begin(), resources.end(), ResourceId{"procedure", ""},
      [](const auto& resource, const ResourceId& id) { return resource->id < id; });
  auto end = first;
  for (; end != resources.end() && (*end)->id.kind == "procedure"; ++end) {
    names.push_back((*end)->id.name);
  }
  resources::AfterGraph graph;
  for (auto at = first; at != end; ++at) {
    if ((*at)->spec == nullptr) continue;
    graph[(*at)->id] = resources::ProceduresRunBy((*at)->spec->procedure(), names);
  }
  AddCycles(resources, graph, "runs itself: ", problems);
}

std::shared_ptr<const std::map<ResourceId, std::vector<ResourceId>>> ComputeDependents(
    const DesiredList& resources) {
  auto dependents = std::make_shared<std::map<ResourceId, std::vector<ResourceId>>>();
  for (const auto& resource : resources) {
    for (const ResourceId& dependency : resource->after) {
      (*dependents)[dependency].push_back(resource->id);
    }
  }
  return dependents;
}

}  // namespace fairlead::sync
