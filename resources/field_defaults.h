// Messages in which every field has the default of a dialect.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/kind_table.h"

namespace fairlead::resources {

// Thread-safe; the result lives for ever. Requires: AccountsFile, SecretsFile, OidcFile, or a
// message that it or a kind reaches.
const google::protobuf::Message& DefaultsOf(const google::protobuf::Descriptor* message,
                                            v1::Dialect dialect);

// A resource of the kind with nothing but its defaults.
const v1::Resource& DefaultResource(const Kind& kind, v1::Dialect dialect);

}  // namespace fairlead::resources
