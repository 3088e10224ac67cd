#include "agent/live_view.h"

#include <set>

#include <google/protobuf/util/message_differencer.h>

namespace fairlead::agent {
namespace {

using google::protobuf::util::MessageDifferencer;

}  // namespace

v1::HostDelta LiveView::Replace(const std::vector<v1::Container>& containers,
                                const std::vector<v1::Project>& projects) {
  v1::HostDelta delta;
  std::set<std::string> ids;
  for (const v1::Container& container : containers) {
    ids.insert(container.id());
    Upsert(container, delta);
  }
  std::vector<std::string> gone;
  for (const auto& [id, container] : containers_) {
    if (!ids.contains(id)) gone.push_back(id);
  }
  for (const std::string& id : gone) Remove(id, delta);
  std::map<std::string, v1::Project> present;
  for (const v1::Project& project : projects) {
    const auto known = projects_.find(project.resource());
    if (known == projects_.end() || !MessageDifferencer::Equals(known->second, project)) {
      *delta.add_upsert_projects() = project;
    }
    present[project.resource()] = project;
  }
  for (const auto& [resource, project] : projects_) {
    if (!present.contains(resource)) delta.add_remove_projects(resource);
  }
  projects_ = std::move(present);
  return delta;
}

void LiveView::Upsert(const v1::Container& container, v1::HostDelta& delta) {
  v1::Container& known = containers_[container.id()];
  if (!known.id().empty() && MessageDifferencer::Equals(known, container)) return;
  known = container;
  // The last word on a container counts.
  for (v1::Container& said : *delta.mutable_upsert_containers()) {
    if (said.id() == container.id()) {
      said = container;
      return;
    }
  }
  *delta.add_upsert_containers() = container;
}

void LiveView::Remove(const std::string& id, v1::HostDelta& delta) {
  if (containers_.erase(id) == 0) return;
  auto& upserts = *delta.mutable_upsert_containers();
  for (int i = 0; i < upserts.size(); ++i) {
    if (upserts[i].id() == id) {
      upserts.DeleteSubrange(i, 1);
      break;
    }
  }
  delta.add_remove_container_ids(id);
}

const v1::Container* LiveView::Find(const std::string& id) const {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : &found->second;
}

bool LiveView::HasProject(const std::string& name) const {
  for (const auto& [resource, project] : projects_) {
    if (project.name() == name) return true;
  }
  return false;
}

v1::HostState LiveView::State() const {
  v1::HostState state;
  for (const auto& [id, container] : containers_) *state.add_containers() = container;
  for (const auto& [resource, project] : projects_) *state.add_projects() = project;
  return state;
}

bool IsEmpty(const v1::HostDelta& delta) {
  return delta.upsert_containers_size() == 0 && delta.remove_container_ids_size() == 0 &&
         delta.upsert_projects_size() == 0 && delta.remove_projects_size() == 0 &&
         !delta.has_engine();
}

}  // namespace fairlead::agent
