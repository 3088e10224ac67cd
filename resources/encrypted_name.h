// Which files of a source hold secrets.
#pragma once

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Files of SOPS and of age whose values become variables: *.sops.json, *.sops.env, *.json.age and
// *.env.age.
inline bool IsEncryptedName(absl::string_view path) {
  return absl::EndsWith(path, ".sops.json") || absl::EndsWith(path, ".sops.env") ||
         absl::EndsWith(path, ".json.age") || absl::EndsWith(path, ".env.age");
}

}  // namespace fairlead::resources
