#include "controller/service/status_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "resources/kind_table.h"
#include "resources/toml_writer.h"

namespace fairlead::service {
namespace {

std::string ConditionName(v1::Condition condition) {
  return absl::AsciiStrToLower(v1::Condition_Name(condition).substr(sizeof("CONDITION_") - 1));
}

bool HasError(const v1::SyncStatus& status) {
  return std::any_of(status.problems().begin(), status.problems().end(),
                     [](const auto& problem) { return problem.severity() == v1::SEVERITY_ERROR; });
}

// Conditions of the resources of each origin, and when one last changed.
struct OriginCount {
  std::map<std::string, uint32_t> conditions;
  absl::Time last_change = absl::InfinitePast();
  bool open = false;
  bool bad = false;
};

std::map<std::string, OriginCount> CountByOrigin(const loop::LoopView& view) {
  std::map<std::string, OriginCount> counts;
  for (const auto& [id, decision] : view.result.decisions) {
    const auto desired = view.input.desired->resources.find(id);
    const auto entry = view.input.inventory.find(id.ToString());
    std::string origin;
    if (desired != view.input.desired->resources.end()) {
      origin = desired->second->origin;
    } else if (entry != view.input.inventory.end()) {
      origin = entry->second->origin();
    }
    OriginCount& count = counts[origin];
    ++count.conditions[ConditionName(decision->condition)];
    if (entry != view.input.inventory.end() && entry->second->has_condition_since()) {
      count.last_change =
          std::max(count.last_change, base::FromProto(entry->second->condition_since()));
    }
    if (sync::IsWell(decision->condition)) continue;
    if (decision->condition == v1::CONDITION_PROGRESSING) {
      count.open = true;
    } else {
      count.bad = true;
    }
  }
  return counts;
}

v1::SyncStatus StatusOfSync(const StatusInput& input, const std::string& name,
                            const OriginCount& count) {
  v1::SyncStatus status;
  status.set_name(name);
  const std::string origin = absl::StrCat("resource_sync/", name);
  const auto source = input.view.input.desired->sources.find(origin);
  if (source != input.view.input.desired->sources.end()) {
    status.set_revision(source->second.revision);
    status.set_subject(source->second.subject);
    for (const v1::Problem& problem : source->second.problems) *status.add_problems() = problem;
  }
  const auto fetch = input.fetches.find(name);
  if (fetch != input.fetches.end()) {
    if (fetch->second.revision != status.revision()) {
      status.set_fetched_revision(fetch->second.revision);
    }
    if (fetch->second.last_success != absl::InfinitePast()) {
      *status.mutable_last_fetch() = base::ToProto(fetch->second.last_success);
    }
  }
  for (const auto& [condition, number] : count.conditions) {
    (*status.mutable_conditions())[condition] = number;
  }
  if (count.last_change != absl::InfinitePast()) {
    *status.mutable_last_change() = base::ToProto(count.last_change);
  }
  const bool fetch_failed = fetch != input.fetches.end() && !fetch->second.error.empty();
  if (fetch_failed) {
    status.set_state("failed");
    status.set_reason(fetch->second.error);
  } else if (status.revision().empty()) {
    status.set_state("never fetched");
  } else if (count.bad || HasError(status)) {
    status.set_state("degraded");
  } else if (count.open) {
    status.set_state("progressing");
  } else {
    status.set_state("converged");
  }
  return status;
}

v1::ServerStatus StatusOfServer(const StatusInput& input, const std::string& name) {
  v1::ServerStatus status;
  status.set_name(name);
  const auto desired = input.view.input.desired->resources.find({"server", name});
  const bool declared = desired != input.view.input.desired->resources.end();
  const auto host = input.view.input.live->hosts.find(name);
  const bool known = host != input.view.input.live->hosts.end();
  if (declared && desired->second->spec != nullptr && !desired->second->spec->server().enabled()) {
    status.set_state("disabled");
  } else if (!known || !host->second->online) {
    status.set_state("offline");
    status.set_reason(known ? "the agent is not connected" : "no agent has connected yet");
  } else if (!host->second->engine_up) {
    status.set_state("engine down");
    status.set_reason(host->second->engine_error);
  } else {
    status.set_state("online");
    if (!declared) status.set_reason("not declared: its resources are blocked");
  }
  if (known) {
    for (const auto& [id, container] : host->second->containers) {
      if (container->installation() != input.view.input.installation) continue;
      const bool well = container->state() == v1::CONTAINER_STATE_RUNNING &&
                        container->health() != v1::CONTAINER_HEALTH_UNHEALTHY;
      if (well) {
        status.set_containers_ok(status.containers_ok() + 1);
      } else {
        status.set_containers_bad(status.containers_bad() + 1);
      }
    }
  }
  const auto agent = input.agents.find(name);
  if (agent != input.agents.end()) {
    status.set_agent_version(agent->second.version);
    *status.mutable_lag() = base::ToProto(agent->second.lag);
    *status.mutable_last_seen() = base::ToProto(agent->second.last_seen);
  }
  return status;
}

std::string CloseNames(const StatusInput& input, const resources::ResourceId& id) {
  std::vector<std::string> close;
  for (const auto& [other, decision] : input.view.result.decisions) {
    if (other.kind != id.kind && other.name != id.name) continue;
    if (other.name == id.name || absl::StrContains(other.name, id.name) ||
        absl::StrContains(id.name, other.name)) {
      close.push_back(other.ToString());
    }
    if (close.size() == 5) break;
  }
  return close.empty() ? "" : absl::StrCat("; did you mean ", absl::StrJoin(close, ", "), "?");
}

}  // namespace

absl::StatusOr<v1::GetStatusResponse> ComputeStatusResponse(const StatusInput& input,
                                                            const std::string& sync) {
  v1::GetStatusResponse response;
  const std::map<std::string, OriginCount> counts = CountByOrigin(input.view);
  for (auto at = input.view.input.desired->resources.lower_bound({"resource_sync", ""});
       at != input.view.input.desired->resources.end() && at->first.kind == "resource_sync"; ++at) {
    if (!sync.empty() && at->first.name != sync) continue;
    const auto count = counts.find(at->first.ToString());
    *response.add_syncs() =
        StatusOfSync(input, at->first.name, count == counts.end() ? OriginCount{} : count->second);
  }
  if (!sync.empty() && response.syncs().empty()) {
    return absl::NotFoundError(absl::StrCat("no resource_sync \"", sync, "\""));
  }
  std::set<std::string> servers;
  for (const auto& [name, host] : input.view.input.live->hosts) servers.insert(name);
  for (auto at = input.view.input.desired->resources.lower_bound({"server", ""});
       at != input.view.input.desired->resources.end() && at->first.kind == "server"; ++at) {
    servers.insert(at->first.name);
  }
  for (const std::string& server : servers) *response.add_servers() = StatusOfServer(input, server);
  bool well = true;
  for (const auto& [id, decision] : input.view.result.decisions) {
    if (sync::IsWell(decision->condition)) continue;
    const auto desired = input.view.input.desired->resources.find(id);
    const bool of_sync = sync.empty() || (desired != input.view.input.desired->resources.end() &&
                                          desired->second->sync == sync);
    if (!of_sync) continue;
    well = false;
    *response.add_not_ok() = sync::ComputeStatus(input.view.input, input.view.result, id);
  }
  for (const v1::SyncStatus& status : response.syncs()) {
    well = well && status.state() == "converged";
  }
  response.set_converged(well && (input.view.converged || !sync.empty()));
  response.set_generation(input.view.generation);
  response.set_controller_version(FAIRLEAD_VERSION);
  return response;
}

absl::StatusOr<v1::ResourceView> ComputeResourceView(const StatusInput& input,
                                                     const resources::ResourceId& id) {
  const auto desired = input.view.input.desired->resources.find(id);
  const auto entry = input.view.input.inventory.find(id.ToString());
  const bool declared = desired != input.view.input.desired->resources.end();
  if (!declared && entry == input.view.input.inventory.end()) {
    return absl::NotFoundError(absl::StrCat("no resource ", id.ToString(), CloseNames(input, id)));
  }
  v1::ResourceView view;
  if (declared && desired->second->spec != nullptr) {
    *view.mutable_spec() = resources::Redact(*desired->second->spec);
  } else if (entry != input.view.input.inventory.end()) {
    *view.mutable_spec() = resources::Redact(entry->second->applied());
  }
  *view.mutable_status() = sync::ComputeStatus(input.view.input, input.view.result, id);
  if (id.kind == "server") *view.mutable_server() = StatusOfServer(input, id.name);
  const auto build = input.view.input.builds.find(id.ToString());
  if (build != input.view.input.builds.end()) *view.mutable_build() = build->second;
  const auto repo = input.view.input.repos.find(id.ToString());
  if (repo != input.view.input.repos.end()) *view.mutable_repo() = repo->second;
  if (id.kind == "resource_sync") {
    const auto counts = CountByOrigin(input.view);
    const auto count = counts.find(id.ToString());
    *view.mutable_sync() =
        StatusOfSync(input, id.name, count == counts.end() ? OriginCount{} : count->second);
  }
  return view;
}

absl::StatusOr<std::vector<v1::ResourceView>> ComputeResourceViews(const StatusInput& input,
                                                                   const std::string& kind) {
  std::string wanted;
  if (!kind.empty()) {
    const resources::Kind* found = resources::FindKind(kind);
    if (found == nullptr) {
      std::vector<std::string> names;
      for (const resources::Kind& known : resources::Kinds()) names.push_back(known.name);
      return absl::InvalidArgumentError(
          absl::StrCat("unknown kind \"", kind, "\"; kinds are ", absl::StrJoin(names, ", ")));
    }
    wanted = found->name;
  }
  std::vector<v1::ResourceView> views;
  for (const auto& [id, decision] : input.view.result.decisions) {
    if (!wanted.empty() && id.kind != wanted) continue;
    absl::StatusOr<v1::ResourceView> view = ComputeResourceView(input, id);
    if (view.ok()) views.push_back(*std::move(view));
  }
  return views;
}

}  // namespace fairlead::service
