// The name of a dialect on the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::cli {

inline absl::StatusOr<v1::Dialect> ParseDialect(const std::string& name) {
  if (name == "toml") return v1::DIALECT_TOML;
  if (name == "komodo") return v1::DIALECT_KOMODO;
  return absl::InvalidArgumentError(
      absl::StrCat("--dialect \"", name, "\" is not known; it is toml or komodo"));
}

}  // namespace fairlead::cli
