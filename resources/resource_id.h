// The identity of a resource.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// (kind, name), the name exactly as written. Ordered by kind, then name.
struct ResourceId {
  std::string kind;
  std::string name;

  auto operator<=>(const ResourceId&) const = default;

  // "stack/web".
  std::string ToString() const { return absl::StrCat(kind, "/", name); }

  // The reverse of ToString; empty when there is no slash or the kind is unknown. Names may hold
  // slashes themselves.
  static std::optional<ResourceId> Parse(absl::string_view text);

  template <typename H>
  friend H AbslHashValue(H h, const ResourceId& id) {
    return H::combine(std::move(h), id.kind, id.name);
  }
};

// The identity of a declared resource. Requires: a spec is set.
ResourceId IdOf(const v1::Resource& resource);

}  // namespace fairlead::resources
