// What must be there when a chaos run is at rest, computed from the commits alone.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "integration/chaos/world.h"

namespace fairlead::chaos {

// Of one declared resource.
struct Expected {
  // Any of these may be what its containers are; exactly one of them when `must_converge`.
  std::vector<Spec> specs;
  // It may have no container at all.
  bool may_be_missing = false;
  // Declared well, and so is all it waits for: it runs its spec, and says so.
  bool must_converge = true;
  // Its containers may be in any state: it was never well, or waits for others.
  bool any_state = false;
  // Maybe nobody could ever read it: it may be unknown.
  bool may_be_unknown = false;
  Kind kind = Kind::kService;
};

struct Expectation {
  // By resource, "deployment/web".
  std::map<std::string, Expected> declared;
  // Left the files while something could not be read, so that it may still be there.
  std::set<std::string> lingering;
  bool has_errors = false;
};

// Follows the commits. What was declared well since the fleet last came to rest may be what the
// last good spec is, whichever of it was reached. Confined to one thread.
class Model {
 public:
  void Commit(const World& world);
  // All that had to converge has.
  void Rest();

  Expectation Expect() const;
  const World& world() const { return world_; }
  // The world with each flawed item as it was last good, or without it: what a run that begins
  // here has to apply first.
  World GoodWorld() const;
  // Names that left the files and may still be there.
  std::set<std::string> Gone() const;

 private:
  struct History {
    Kind kind = Kind::kService;
    std::vector<Spec> specs;
    bool may_be_missing = true;
  };
  World world_;
  // By resource; also what is gone.
  std::map<std::string, History> histories_;
};

}  // namespace fairlead::chaos
