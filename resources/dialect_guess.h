// Which dialect a file is probably written in.
#pragma once

#include "fairlead/v1/resource_sync.pb.h"
#include "resources/toml_document.h"

namespace fairlead::resources {

// True when a file read in `dialect` bears marks of the other one. A guess, for a hint only: many
// files mean the same in both.
bool LooksLikeOtherDialect(const TomlValue& root, v1::Dialect dialect);

}  // namespace fairlead::resources
