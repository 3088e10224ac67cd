// What each call needs: the one table of authorisation.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/message.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "controller/access/permission.h"

namespace fairlead::access {

// How the resource of a call is found in its request.
enum class Target {
  // None: open to everybody, such as a login.
  kOpen,
  // None: everybody whose identity is proven, for what is their own; the handler keeps to that.
  kSelf,
  // `field` is "stack/web".
  kResource,
  // The fields "kind" and "name".
  kKindAndName,
  // `field` is the name of a resource of `kind`; empty is all of the kind.
  kNamed,
  // A list. `field`, when there is one and it is set, as for kResource, or as for kNamed where
  // there is a `kind`; else the handler leaves out what the caller may not see.
  kList,
  // `field` is the id of a run, and the resource that of the run. Empty is a list.
  kRun,
  // The handler asks for each resource as it finds them.
  kInside,
  // The controller itself.
  kSystem,
  // Agents, which prove themselves by their certificate in a way of their own.
  kAgent,
};

struct Rule {
  // Full name, "fairlead.v1.ExecutionService.Stop".
  std::string method;
  Target target = Target::kSystem;
  Right needed;
  // Kept in the audit log also when it is allowed.
  bool is_change = false;
  std::string field;
  std::string kind;
};

// By method. Immutable.
class Rules {
 public:
  explicit Rules(const std::vector<Rule>& rules);
  // Of all services of the controller.
  static const Rules& All();

  // Null when there is none: then nobody may.
  const Rule* Find(absl::string_view method) const;

 private:
  absl::flat_hash_map<std::string, Rule> rules_;
};

// The table that Rules::All holds.
std::vector<Rule> RuleTable();

// The resource that the request is about, such as "stack/web" or "run/ID"; empty when the target
// has none, or the request does not say. `all_of` is the kind of which all are meant, else empty.
struct Asked {
  std::string resource;
  std::string all_of;
};
Asked AskedOf(const Rule& rule, const google::protobuf::Message& request);

}  // namespace fairlead::access
