// Names of other resources that a resource holds, and the `after` graph.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fairlead/v1/resource.pb.h"
#include "resources/resource_id.h"

namespace fairlead::resources {

struct Reference {
  // Field path, such as "config.server" or "after".
  std::string field;
  // Kinds it may name, in order of preference.
  std::vector<std::string> kinds;
  // As written: a plain name, or in `after` also kind/name.
  std::string text;
};

// All non-empty references of a resource, in field order.
std::vector<Reference> ReferencesOf(const v1::Resource& resource);

// The resource a reference means: the first of its kinds for which `exists` is true.
std::optional<ResourceId> Resolve(const Reference& reference,
                                  const std::function<bool(const ResourceId&)>& exists);

// Edges from a resource to those it waits for.
using AfterGraph = std::map<ResourceId, std::vector<ResourceId>>;

// Each cycle once, as the path that closes it (first element repeated at the end), in order.
std::vector<std::vector<ResourceId>> FindCycles(const AfterGraph& graph);

}  // namespace fairlead::resources
