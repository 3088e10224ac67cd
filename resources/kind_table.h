// The only list of kinds: read from the members of Resource.spec and their (kind) options.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

struct Kind {
  // Singular and plural as in TOML.
  std::string name;
  std::string plural;
  // Fields stand beside `name`, without a config table.
  bool flat = false;
  // Containers come of it.
  bool deploys = false;
  // Its config table is itself {type, params}.
  bool tagged = false;
  // Why nothing follows from its resources in this version; empty: something does.
  std::string not_acted_on;
  // The field of a resource_sync that lets it in.
  std::string included_by;
  // The member of Resource.spec.
  const google::protobuf::FieldDescriptor* field = nullptr;
  // The kind's message.
  const google::protobuf::Descriptor* message = nullptr;
};

// In order of declaration.
const std::vector<Kind>& Kinds();

// By singular or plural name; null when there is none.
const Kind* FindKind(absl::string_view name);

// The kind of a declared resource; null when no spec is set.
const Kind* KindOf(const v1::Resource& resource);

// The message of the kind within the resource. Requires: a spec is set.
const google::protobuf::Message& SpecOf(const v1::Resource& resource);

// The server the resource lives on: the field that references kind "server" of a kind that
// deploys; empty when it has none.
std::string ServerOf(const v1::Resource& resource);

}  // namespace fairlead::resources
