// docs/resources.md: every kind, table and field, from the field options.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Markdown. `examples` has a file for each kind, by the kind's name; NotFound names a kind that
// has none, InvalidArgument a file in which the reader finds an error.
absl::StatusOr<std::string> ReferencePage(const std::map<std::string, std::string>& examples);

// The examples of ReferencePage: FOLDER/KIND.toml.
absl::StatusOr<std::map<std::string, std::string>> ReadExamples(const std::string& folder);

}  // namespace fairlead::resources
