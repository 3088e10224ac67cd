// Reads the YAML that docker-compose 1 prints.
#pragma once

#include <boost/json/fwd.hpp>
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::agent {

// `docker-compose config` of version 1 has no JSON form. This reads what its emitter writes:
// block mappings and sequences, plain and quoted scalars over several lines, "? " keys, anchors,
// and empty flow collections. It is not a YAML reader for files that people write.
// InvalidArgument with a line number for anything else.
absl::StatusOr<boost::json::value> ParseComposeYaml(absl::string_view text);

}  // namespace fairlead::agent
