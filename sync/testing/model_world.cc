#include "sync/testing/model_world.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "resources/container_spec.h"
#include "resources/kind_table.h"
#include "resources/replacement_names.h"
#include "sync/vitals.h"

namespace fairlead::sync {
namespace {

using resources::PartOf;
using resources::ReplacementPart;

absl::string_view PolicyOf(const v1::Resource& spec) {
  switch (spec.deployment().restart()) {
    case v1::RESTART_MODE_ON_FAILURE:
      return "on-failure";
    case v1::RESTART_MODE_ALWAYS:
      return "always";
    case v1::RESTART_MODE_UNLESS_STOPPED:
      return "unless-stopped";
    default:
      return "no";
  }
}

}  // namespace

void ModelWorld::Declare(const SourceText& source) {
  sources_[source.origin] = ReadSource(source);
  sources_changed_ = true;
}

void ModelWorld::RemoveSource(const std::string& origin) {
  sources_.erase(origin);
  sources_changed_ = true;
}

void ModelWorld::Connect(const std::string& server, bool online) {
  HostLive& host = hosts_[server];
  host.server = server;
  host.online = host.engine_up = online;
  ++host.generation;
}

void ModelWorld::RemoveContainer(const std::string& server, const std::string& id) {
  Host(server).containers.erase(id);
  ++Host(server).generation;
}

void ModelWorld::Change(const std::string& server, const v1::Container& container) {
  Put(server, container);
}

void ModelWorld::Hold(const std::string& resource) {
  v1::Hold& hold = input_.holds[resource];
  hold.set_resource(resource);
  hold.set_who("ana");
  hold.set_why("test");
  Touch(resource);
}

void ModelWorld::Release(const std::string& resource) {
  input_.holds.erase(resource);
  Touch(resource);
}

void ModelWorld::Touch(const std::string& resource) { touched_.insert(resource); }

const PlanInput& ModelWorld::Look() {
  if (sources_changed_) {
    std::vector<std::shared_ptr<const SourceSnapshot>> sources;
    for (const auto& [origin, source] : sources_) sources.push_back(source);
    DesiredOptions options;
    options.owner = [this](const resources::ResourceId& id) {
      const auto it = entries_.find(id.ToString());
      return it == entries_.end() ? std::string() : it->second.origin();
    };
    const auto before = input_.desired;
    input_.desired = BuildDesiredState(sources, TestHasher(), options, before.get());
    for (const auto& id : ComputeDesiredChange(before.get(), *input_.desired)) dirty_.insert(id);
    sources_changed_ = false;
  }
  auto live = std::make_shared<LiveState>();
  for (const auto& [server, host] : hosts_) {
    std::shared_ptr<const HostLive>& shown = shown_hosts_[server];
    if (shown == nullptr || shown->generation != host.generation) {
      const auto before = shown;
      shown = std::make_shared<const HostLive>(host);
      dirty_.merge(ComputeConcerned(*input_.desired, input_.inventory, server,
                                    ComputeLiveChange(before.get(), *shown)));
    }
    live->hosts[server] = shown;
  }
  input_.live = std::move(live);
  input_.installation = kTestInstallation;
  input_.hasher = &TestHasher();
  for (const std::string& resource : touched_) {
    const auto id = resources::ResourceId::Parse(resource);
    if (id.has_value()) dirty_.insert(*id);
    const auto it = entries_.find(resource);
    if (it == entries_.end()) {
      input_.inventory.erase(resource);
    } else {
      input_.inventory[resource] = std::make_shared<const v1::InventoryEntry>(it->second);
    }
  }
  touched_.clear();
  return input_;
}

std::set<resources::ResourceId> ModelWorld::TakeDirty() { return std::exchange(dirty_, {}); }

v1::InventoryEntry& ModelWorld::Entry(const std::string& resource) {
  Touch(resource);
  v1::InventoryEntry& entry = entries_[resource];
  entry.set_resource(resource);
  return entry;
}

void ModelWorld::Note(const PlanResult& result) {
  for (const v1::FailedSpec& failure : result.new_failures) {
    input_.failed_specs[failure.resource()][failure.spec_hash()] = failure;
    Touch(failure.resource());
  }
  for (const auto& [id, decision] : result.decisions) {
    const std::string resource = id.ToString();
    const auto desired = input_.desired->resources.find(id);
    if (desired == input_.desired->resources.end() || !entries_.contains(resource)) continue;
    v1::InventoryEntry& known = entries_[resource];
    if (known.origin() != desired->second->origin) {
      Entry(resource).set_origin(desired->second->origin);
    }
    const bool is_good = decision->satisfied && !decision->uses_good_spec &&
                         known.applied_hash() == decision->target_hash;
    if (is_good && known.good_hash() != decision->target_hash) {
      v1::InventoryEntry& entry = Entry(resource);
      *entry.mutable_good() = entry.applied();
      entry.set_good_hash(entry.applied_hash());
    }
  }
}

const v1::Resource* ModelWorld::SpecOf(const Decision& decision) const {
  const auto entry = entries_.find(decision.id.ToString());
  if (decision.uses_good_spec) {
    return entry->second.has_good() ? &entry->second.good() : &entry->second.applied();
  }
  return input_.desired->resources.find(decision.id)->second->spec.get();
}

v1::Container ModelWorld::NewContainer(const std::string& resource, const v1::Resource& spec,
                                       const std::string& hash, bool leave_stopped) {
  v1::Container container;
  container.set_id(absl::StrCat("m", ++containers_));
  container.set_name(resources::DockerNameOf(spec));
  container.set_image(spec.deployment().image().image().image());
  container.set_installation(kTestInstallation);
  container.set_resource(resource);
  container.set_spec_hash(hash);
  container.set_restart_policy(std::string(PolicyOf(spec)));
  (*container.mutable_section_hash())["environment"] = hash;
  *container.mutable_created_at() = ToProto(input_.now);
  container.set_state(v1::CONTAINER_STATE_CREATED);
  if (!leave_stopped) Run(container);
  return container;
}

void ModelWorld::Run(v1::Container& container) {
  *container.mutable_started_at() = ToProto(input_.now);
  container.clear_finished_at();
  container.set_killed(false);
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  container.set_health(v1::CONTAINER_HEALTH_NONE);
  const bool ends =
      absl::StartsWith(container.image(), "bad:") || absl::StartsWith(container.image(), "job:");
  if (ends) {
    container.set_state(v1::CONTAINER_STATE_EXITED);
    container.set_exit_code(absl::StartsWith(container.image(), "bad:") ? 1 : 0);
    *container.mutable_finished_at() = ToProto(input_.now);
  } else if (absl::StartsWith(container.image(), "slow:")) {
    container.set_health(v1::CONTAINER_HEALTH_STARTING);
  }
}

void ModelWorld::Halt(v1::Container& container, absl::Time now) {
  if (container.state() == v1::CONTAINER_STATE_EXITED) return;
  container.set_state(v1::CONTAINER_STATE_EXITED);
  container.set_killed(true);
  container.set_exit_code(143);
  *container.mutable_finished_at() = ToProto(now);
}

void ModelWorld::Put(const std::string& server, const v1::Container& container) {
  Host(server).containers[container.id()] = std::make_shared<const v1::Container>(container);
  ++Host(server).generation;
}

std::vector<v1::Container> ModelWorld::Owned(const std::string& server,
                                             const std::string& resource) const {
  std::vector<v1::Container> owned;
  const auto host = hosts_.find(server);
  if (host == hosts_.end()) return owned;
  for (const auto& [id, container] : host->second.containers) {
    if (container->installation() == kTestInstallation && container->resource() == resource) {
      owned.push_back(*container);
    }
  }
  return owned;
}

void ModelWorld::RemoveOwned(const std::string& server, const std::string& resource) {
  for (const v1::Container& container : Owned(server, resource)) {
    Host(server).containers.erase(container.id());
  }
  Host(server).projects.erase(resource);
  ++Host(server).generation;
}

void ModelWorld::RecordApplied(const Decision& decision, const v1::Resource& spec,
                               const std::string& container_id) {
  const std::string resource = decision.id.ToString();
  const auto& desired = input_.desired->resources.find(decision.id)->second;
  v1::InventoryEntry& entry = Entry(resource);
  entry.set_origin(desired->origin);
  entry.set_server(resources::ServerOf(spec));
  entry.set_name(resources::DockerNameOf(spec));
  *entry.mutable_applied() = spec;
  entry.set_applied_hash(decision.target_hash);
  *entry.mutable_applied_at() = ToProto(input_.now);
  entry.set_container_id(container_id);
  entry.clear_restarts();
  entry.clear_after();
  entry.clear_dependency_hash();
  for (const auto& id : desired->after) {
    entry.add_after(id.ToString());
    const auto dependency = entries_.find(id.ToString());
    if (dependency == entries_.end()) continue;
    (*entry.mutable_dependency_hash())[id.ToString()] = dependency->second.applied_hash();
  }
  entry.clear_section_hash();
  if (!container_id.empty()) (*entry.mutable_section_hash())["environment"] = decision.target_hash;
}

void ModelWorld::ApplyStack(const std::string& server, const Decision& decision,
                            const v1::Resource& spec) {
  const std::string resource = decision.id.ToString();
  RemoveOwned(server, resource);
  v1::Project project;
  project.set_resource(resource);
  project.set_name(resources::DockerNameOf(spec));
  project.set_spec_hash(decision.target_hash);
  v1::Project::Service* service = project.add_services();
  service->set_name("app");
  service->set_hash("app-hash");
  service->set_replicas(1);
  Host(server).projects[resource] = std::make_shared<const v1::Project>(project);
  v1::Container container =
      NewContainer(resource, spec, "app-hash", spec.state() == v1::WANTED_STATE_STOPPED);
  container.set_name(absl::StrCat(project.name(), "-app-1"));
  container.set_compose_project(project.name());
  container.set_compose_service("app");
  container.set_restart_policy("always");
  Put(server, container);
  RecordApplied(decision, spec, "");
}

void ModelWorld::Apply(const std::string& server, const Decision& decision) {
  const v1::Resource spec = *SpecOf(decision);
  if (spec.has_stack()) {
    ApplyStack(server, decision, spec);
    return;
  }
  const std::string resource = decision.id.ToString();
  const bool leave_stopped = spec.state() == v1::WANTED_STATE_STOPPED;
  const bool start_first =
      spec.deployment().strategy() == v1::STRATEGY_START_FIRST && !leave_stopped;
  bool beside = false;
  for (v1::Container container : Owned(server, resource)) {
    switch (PartOf(container.name(), resources::DockerNameOf(spec))) {
      case ReplacementPart::kComing:
        RemoveContainer(server, container.id());
        continue;
      case ReplacementPart::kGoing:
        continue;
      case ReplacementPart::kNone:
        break;
    }
    if (start_first && container.state() == v1::CONTAINER_STATE_RUNNING) {
      beside = true;
      continue;
    }
    Halt(container, input_.now);
    container.set_name(resources::OldNameOf(container.name()));
    Put(server, container);
  }
  v1::Container fresh = NewContainer(resource, spec, decision.target_hash, leave_stopped);
  if (beside) fresh.set_name(resources::NewNameOf(fresh.name()));
  Put(server, fresh);
  RecordApplied(decision, spec, fresh.id());
}

void ModelWorld::EndReplacement(const std::string& server, const std::string& resource,
                                bool keep_new) {
  const std::vector<v1::Container> owned = Owned(server, resource);
  const auto plays = [](ReplacementPart part) {
    return [part](const v1::Container& container) {
      return PartOf(container.name(), container.name()) == part;
    };
  };
  const bool beside = std::any_of(owned.begin(), owned.end(), plays(ReplacementPart::kComing));
  for (v1::Container container : owned) {
    const bool is_old =
        !plays(beside ? ReplacementPart::kComing : ReplacementPart::kNone)(container);
    if (is_old == keep_new) {
      RemoveContainer(server, container.id());
      continue;
    }
    for (const absl::string_view suffix : {resources::kOldSuffix, resources::kNewSuffix}) {
      container.set_name(std::string(absl::StripSuffix(container.name(), suffix)));
    }
    if (is_old && container.state() != v1::CONTAINER_STATE_RUNNING) Run(container);
    Put(server, container);
    if (!is_old) continue;
    v1::InventoryEntry& entry = Entry(resource);
    entry.set_container_id(container.id());
    if (entry.good_hash() == container.spec_hash()) {
      *entry.mutable_applied() = entry.good();
      entry.set_applied_hash(entry.good_hash());
      (*entry.mutable_section_hash())["environment"] = entry.good_hash();
    }
  }
}

void ModelWorld::Perform(const v1::Step& step, const Decision& decision) {
  const std::string& resource = step.resource();
  const std::string& server = step.server();
  const auto each = [&](const auto& change) {
    for (v1::Container container : Owned(server, resource)) {
      change(container);
      Put(server, container);
    }
  };
  switch (step.action()) {
    case v1::STEP_ACTION_CREATE:
    case v1::STEP_ACTION_REPLACE:
      Apply(server, decision);
      break;
    case v1::STEP_ACTION_MOVE:
      RemoveOwned(decision.from_server, resource);
      Apply(server, decision);
      break;
    case v1::STEP_ACTION_UPDATE: {
      const v1::Resource spec = *SpecOf(decision);
      each([&spec](v1::Container& c) { c.set_restart_policy(std::string(PolicyOf(spec))); });
      *Entry(resource).mutable_applied() = spec;
      break;
    }
    case v1::STEP_ACTION_START:
    case v1::STEP_ACTION_RESTART:
      each([this](v1::Container& c) {
        if (c.state() != v1::CONTAINER_STATE_RUNNING) Run(c);
      });
      *Entry(resource).add_restarts() = ToProto(input_.now);
      break;
    case v1::STEP_ACTION_STOP:
      each([this](v1::Container& c) { Halt(c, input_.now); });
      break;
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_DESTROY:
      RemoveOwned(server, resource);
      entries_.erase(resource);
      Touch(resource);
      break;
    case v1::STEP_ACTION_FORGET:
      entries_.erase(resource);
      Touch(resource);
      break;
    case v1::STEP_ACTION_REMOVE_EXTRA:
      for (const std::string& id : step.container_ids()) RemoveContainer(server, id);
      break;
    case v1::STEP_ACTION_FINISH:
      EndReplacement(server, resource, true);
      break;
    case v1::STEP_ACTION_ROLLBACK:
      EndReplacement(server, resource, false);
      break;
    default:
      break;
  }
}

}  // namespace fairlead::sync
