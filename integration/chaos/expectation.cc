#include "integration/chaos/expectation.h"

#include <algorithm>

namespace fairlead::chaos {

namespace {

std::string NameIn(const std::string& resource) { return resource.substr(resource.find('/') + 1); }

bool IsDeclared(const World& world, const std::string& resource) {
  const auto found = world.items.find(NameIn(resource));
  return found != world.items.end() && ResourceOf(found->first, found->second) == resource;
}

}  // namespace

void Model::Commit(const World& world) {
  world_ = world;
  for (auto& [resource, history] : histories_) {
    if (!IsDeclared(world, resource)) history.may_be_missing = true;
  }
  for (const auto& [name, item] : world.items) {
    History& history = histories_[ResourceOf(name, item)];
    history.kind = item.kind;
    if (IsUnreadable(world, item)) continue;
    if (item.flaw != Flaw::kNone) continue;
    std::erase(history.specs, item.spec);
    history.specs.push_back(item.spec);
  }
}

void Model::Rest() {
  for (auto at = histories_.begin(); at != histories_.end();) {
    auto& [resource, history] = *at;
    if (!IsDeclared(world_, resource)) {
      at = HasErrors(world_) ? std::next(at) : histories_.erase(at);
      continue;
    }
    if (!IsHeldUp(world_, NameIn(resource))) {
      history.specs = {world_.items.at(NameIn(resource)).spec};
      history.may_be_missing = false;
    }
    ++at;
  }
}

Expectation Model::Expect() const {
  Expectation expectation;
  expectation.has_errors = HasErrors(world_);
  for (const auto& [resource, history] : histories_) {
    if (!IsDeclared(world_, resource)) {
      expectation.lingering.insert(resource);
      continue;
    }
    const std::string name = NameIn(resource);
    const Item& item = world_.items.at(name);
    Expected& expected = expectation.declared[resource];
    expected.kind = item.kind;
    expected.must_converge = !IsHeldUp(world_, name);
    if (expected.must_converge) {
      expected.specs = {item.spec};
      continue;
    }
    expected.specs = history.specs;
    expected.may_be_missing = history.may_be_missing;
    expected.may_be_unknown = history.may_be_missing && IsUnreadable(world_, item);
    // What can be read but not run may be what is left of the last attempt.
    if (history.may_be_missing && !IsUnreadable(world_, item)) expected.specs.push_back(item.spec);
    expected.any_state = item.flaw == Flaw::kNone || history.may_be_missing;
  }
  return expectation;
}

World Model::GoodWorld() const {
  World good = world_;
  good.broken_files.clear();
  for (const auto& [name, item] : world_.items) {
    const History& history = histories_.at(ResourceOf(name, item));
    if (!history.specs.empty()) {
      Spec& spec = good.items.at(name).spec;
      spec = history.specs.back();
      // Its placeholder means the value of now.
      if (!spec.token.empty()) spec.token = SecretOf(good);
      good.items.at(name).flaw = Flaw::kNone;
    } else if (item.flaw != Flaw::kNone || IsUnreadable(world_, item)) {
      good.items.erase(name);
      std::erase(good.order, name);
      for (auto& [other, dependent] : good.items) std::erase(dependent.after, name);
    }
  }
  return good;
}

std::set<std::string> Model::Gone() const {
  std::set<std::string> gone;
  for (const auto& [resource, history] : histories_) {
    if (!IsDeclared(world_, resource)) gone.insert(NameIn(resource));
  }
  return gone;
}

}  // namespace fairlead::chaos
