// Writes resources as TOML that ReadToml reads back equal.
#pragma once

#include <string>

#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::resources {

// One `[[kind]]` entry; only fields that differ from the dialect's defaults; references under
// their short alias; multi-line text as """ blocks. Secret values are written as they are: call
// Redact first where they must not show.
std::string WriteToml(const v1::Resource& resource, v1::Dialect dialect = v1::DIALECT_TOML);

// As WriteToml, but a field that holds a secret is left out, and a comment names it.
std::string WriteTomlWithoutSecrets(const v1::Resource& resource,
                                    v1::Dialect dialect = v1::DIALECT_TOML);

// A copy with secret fields (and the value of a secret variable) replaced by "***".
v1::Resource Redact(const v1::Resource& resource);

}  // namespace fairlead::resources
