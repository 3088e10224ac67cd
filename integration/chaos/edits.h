// What people change in the repository.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "integration/chaos/world.h"
#include "integration/simulation/random.h"

namespace fairlead::chaos {

// Changes a world by chance, in ways that keep what must be kept of it. Confined to one thread.
class Editor {
 public:
  // `random` and `world` outlive it.
  Editor(simulation::SeededRandom& random, World& world) : random_(random), world_(world) {}

  // The world of a run's first commit. Requires: an empty one.
  void Found();
  // One change; returns what it is, such as "change web". Names that left the world since the last
  // world without errors are in `gone`: never more than three, which a sync's guard would hold up.
  std::string Edit(std::set<std::string>& gone);

 private:
  std::string Add();
  std::string Change(const std::string& name);
  std::string Break(const std::string& name);
  std::string Repair(const std::string& name);
  std::string Remove(const std::string& name);
  std::string Rename(const std::string& name);
  std::string Move(const std::string& name);
  std::string Toggle(const std::string& name);
  std::string Reorder();
  std::string BreakFile();
  std::string Rotate();

  void Insert(const std::string& name, Item item);
  void Erase(const std::string& name);
  // A name that is not in the world.
  std::string FreshName();
  // A spec with a good image and a revision of its own.
  Spec Fresh(Kind kind);
  std::vector<std::string> Flawed() const;

  simulation::SeededRandom& random_;
  World& world_;
};

}  // namespace fairlead::chaos
