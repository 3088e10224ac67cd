// Where the controller is and how to prove who we are.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cli/environment.h"

namespace fairlead::cli {

inline constexpr char kDefaultController[] = "127.0.0.1:7400";

struct ConnectionOptions {
  // HOST:PORT or unix:PATH.
  std::string controller;
  // PEM files; with any of them the connection is encrypted.
  std::string tls_cert;
  std::string tls_key;
  // Empty trusts the machine's authorities.
  std::string tls_ca;
};

// Fills what is empty in `options`: from FAIRLEAD_CONTROLLER, then the configuration file, then
// the default. InvalidArgument names file and line of what cannot be read.
absl::Status CompleteConnectionOptions(const Environment& environment, ConnectionOptions& options);

// `key = "value"` lines with comments: controller, tls_cert, tls_key, tls_ca.
absl::StatusOr<std::map<std::string, std::string>> ParseConfig(absl::string_view path,
                                                               absl::string_view content);

}  // namespace fairlead::cli
