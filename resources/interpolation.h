// Placeholders [[NAME]] and the variables that fill them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::resources {

struct VariableValue {
  std::string value;
  bool is_secret = false;
  // Why it has no value, and what to do; empty: nobody gave it one.
  std::string why_none;
  bool operator==(const VariableValue&) const = default;
};
using Variables = std::map<std::string, VariableValue>;

struct Interpolated {
  v1::Resource resource;
  // Unresolved placeholders: errors, in the komodo dialect warnings (the text stays). A secret
  // variable without a value resolves nothing, except in the komodo dialect; one that somebody
  // else keeps resolves nothing there either, and is an error.
  std::vector<v1::Problem> problems;
  // Values of secret variables that went in, for redaction; each once, empty ones left out. Of a
  // value of several lines also each line of at least 8 characters, because lines may be taken
  // apart before they are printed.
  std::vector<std::string> secrets;
};

// Fills the fields marked `interpolate`, once: placeholders within values stay. A
// [[COMPOSE_COMMAND]] stays. A resource with skip_secret_interp is returned as it is.
Interpolated Interpolate(const v1::Resource& resource, const Variables& variables,
                         v1::Dialect dialect);

// Names of the placeholders that Interpolate would fill in, sorted.
std::vector<std::string> PlaceholdersOf(const v1::Resource& resource);

// True when the whole text is one [[NAME]].
bool IsPlaceholder(absl::string_view text);

// `text` with every occurrence of each secret of at least 3 characters replaced by "***".
std::string RedactText(const std::string& text, const std::vector<std::string>& secrets);

}  // namespace fairlead::resources
