// From what people write to the identity of a resource.
#pragma once

#include "absl/status/statusor.h"

#include "cli/commands.h"
#include "resources/resource_id.h"

namespace fairlead::cli {

// The kind by singular or plural name; InvalidArgument with a suggestion.
absl::StatusOr<std::string> FindKindName(const std::string& text);

// Asks the controller only for a plain name. NotFound, or InvalidArgument listing the candidates
// when several resources have the name.
absl::StatusOr<resources::ResourceId> FindResource(Session& session,
                                                   const ResourceArguments& arguments);

}  // namespace fairlead::cli
