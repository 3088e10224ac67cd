// Field values as TOML text.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/resource_sync.pb.h"
#include "resources/field_table.h"

namespace fairlead::resources {

// A one-line string with escapes.
std::string QuoteText(absl::string_view text);

// A string; of several lines as a """ block where the dialect can hold it so.
std::string QuoteBlock(absl::string_view text, v1::Dialect dialect);

// A google.protobuf.Duration, such as "1h30m".
std::string DurationText(const google::protobuf::Message& message);

// {type, params} of the member that is set; empty when none is.
struct TaggedValue {
  std::string type;
  std::string params;
};
TaggedValue TaggedValueText(const google::protobuf::Message& tagged, v1::Dialect dialect);

// The value of a field, as ReadToml accepts it. Fields of inner tables that have the default of
// the dialect are left out.
std::string ValueText(const google::protobuf::Message& message, const Field& field,
                      v1::Dialect dialect);

// The elements of a repeated field, each as above.
std::vector<std::string> ElementTexts(const google::protobuf::Message& message, const Field& field,
                                      v1::Dialect dialect);

// The field says the same in both messages.
bool FieldsEqual(const google::protobuf::Message& a, const google::protobuf::Message& b,
                 const Field& field);

}  // namespace fairlead::resources
