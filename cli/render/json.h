// Messages as JSON for programs.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"

namespace fairlead::cli {

enum class JsonStyle {
  // Indented, ends with a line break.
  kPretty,
  // One line, ends with a line break.
  kLine,
};

// Field names as in the .proto, fields at their default included, times in UTC, maps in order of
// key: the same message is always the same text.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, JsonStyle style);

}  // namespace fairlead::cli
