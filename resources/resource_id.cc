#include "resources/resource_id.h"

#include "resources/kind_table.h"

namespace fairlead::resources {

std::optional<ResourceId> ResourceId::Parse(absl::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == absl::string_view::npos || slash + 1 == text.size()) return std::nullopt;
  const Kind* kind = FindKind(text.substr(0, slash));
  if (kind == nullptr || kind->name != text.substr(0, slash)) return std::nullopt;
  return ResourceId{kind->name, std::string(text.substr(slash + 1))};
}

ResourceId IdOf(const v1::Resource& resource) {
  const Kind* kind = KindOf(resource);
  return ResourceId{kind == nullptr ? "" : kind->name, resource.name()};
}

}  // namespace fairlead::resources
