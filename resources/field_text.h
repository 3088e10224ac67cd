// What people are told of a field: shared by the schema and the reference page.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "fairlead/v1/resource_sync.pb.h"
#include "resources/field_table.h"

namespace fairlead::resources {

// Its `doc` and what follows from its other options, as sentences.
std::string MeaningOf(const Field& field);

// "name of a server", "name of a stack or deployment"; empty for a field that names nothing.
std::string ReferenceTextOf(const Field& field);

// Its value in `defaults` as TOML; empty where it is required or absent.
std::string DefaultTextOf(const Field& field, const google::protobuf::Message& defaults,
                          v1::Dialect dialect);

}  // namespace fairlead::resources
