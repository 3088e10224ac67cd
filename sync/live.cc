#include "sync/live.h"

#include <set>
#include <utility>

#include "absl/time/time.h"
#include "google/protobuf/util/message_differencer.h"

namespace fairlead::sync {
namespace {

using google::protobuf::util::MessageDifferencer;

template <typename Message>
using Shared = std::map<std::string, std::shared_ptr<const Message>>;

template <typename Message>
bool IsEqual(const std::shared_ptr<const Message>& a, const std::shared_ptr<const Message>& b) {
  return a == b || MessageDifferencer::Equals(*a, *b);
}

// The entry of `known` when it says the same, so that sharing survives snapshots.
template <typename Message>
std::shared_ptr<const Message> ShareOrCopy(const Shared<Message>& known, const std::string& key,
                                           const Message& message) {
  const auto it = known.find(key);
  if (it != known.end() && MessageDifferencer::Equals(*it->second, message)) return it->second;
  return std::make_shared<const Message>(message);
}

// Calls `changed` with every entry that came, went or changed; both sides of a change.
template <typename Message, typename Changed>
void ForEachChange(const Shared<Message>& before, const Shared<Message>& after,
                   const Changed& changed) {
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->first < b->first)) {
      changed(*(a++)->second);
    } else if (a == before.end() || b->first < a->first) {
      changed(*(b++)->second);
    } else {
      if (!IsEqual(a->second, b->second)) {
        changed(*a->second);
        changed(*b->second);
      }
      ++a;
      ++b;
    }
  }
}

}  // namespace

std::shared_ptr<const HostLive> ApplySnapshot(const HostLive& host, const v1::HostState& state) {
  auto next = std::make_shared<HostLive>();
  next->server = host.server;
  next->online = true;
  next->engine_up = state.engine_up();
  next->engine_error = state.engine_error();
  next->generation = host.generation + 1;
  next->clock_offset = host.clock_offset;
  next->cpus = state.engine().cpus() > 0 ? state.engine().cpus() : host.cpus;
  next->last_seen = host.last_seen;
  for (const v1::Container& container : state.containers()) {
    next->containers[container.id()] = ShareOrCopy(host.containers, container.id(), container);
  }
  for (const v1::Project& project : state.projects()) {
    next->projects[project.resource()] = ShareOrCopy(host.projects, project.resource(), project);
  }
  // An agent that was started while its engine was down has seen nothing yet: what was known last
  // still is.
  if (!state.engine_up() && state.containers().empty()) {
    next->containers = host.containers;
    next->projects = host.projects;
  }
  return next;
}

std::shared_ptr<const HostLive> ApplyDelta(const HostLive& host, const v1::HostDelta& delta) {
  auto next = std::make_shared<HostLive>(host);
  ++next->generation;
  for (const std::string& id : delta.remove_container_ids()) next->containers.erase(id);
  for (const v1::Container& container : delta.upsert_containers()) {
    next->containers[container.id()] = ShareOrCopy(host.containers, container.id(), container);
  }
  for (const std::string& resource : delta.remove_projects()) next->projects.erase(resource);
  for (const v1::Project& project : delta.upsert_projects()) {
    next->projects[project.resource()] = ShareOrCopy(host.projects, project.resource(), project);
  }
  if (delta.has_engine()) {
    next->engine_up = delta.engine().up();
    next->engine_error = delta.engine().error();
    if (delta.engine().version().cpus() > 0) next->cpus = delta.engine().version().cpus();
  }
  return next;
}

LiveChange ComputeLiveChange(const HostLive* before, const HostLive& after) {
  static const HostLive* const kNothing = new HostLive();
  const HostLive& old = before == nullptr ? *kNothing : *before;
  LiveChange change;
  change.whole_host = before == nullptr || old.online != after.online ||
                      old.engine_up != after.engine_up || old.engine_error != after.engine_error;
  std::set<std::string> resources;
  std::set<std::string> names;
  ForEachChange(old.containers, after.containers, [&](const v1::Container& container) {
    if (!container.resource().empty()) {
      resources.insert(container.resource());
      return;
    }
    names.insert(container.name());
    // A resource may be known by its compose project.
    if (!container.compose_project().empty()) names.insert(container.compose_project());
  });
  ForEachChange(old.projects, after.projects,
                [&](const v1::Project& project) { resources.insert(project.resource()); });
  change.resources.assign(resources.begin(), resources.end());
  change.foreign_names.assign(names.begin(), names.end());
  return change;
}

}  // namespace fairlead::sync
