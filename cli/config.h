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
  // API key, or token of a session; empty: none is sent.
  std::string token;
};

// Fills what is empty in `options`: from FAIRLEAD_CONTROLLER and FAIRLEAD_TOKEN, then the
// configuration file, then the default; the token also from the last login. InvalidArgument names
// file and line of what cannot be read.
absl::Status CompleteConnectionOptions(const Environment& environment, ConnectionOptions& options);

// `key = "value"` lines with comments: controller, tls_cert, tls_key, tls_ca.
absl::StatusOr<std::map<std::string, std::string>> ParseConfig(absl::string_view path,
                                                               absl::string_view content);

// Keeps the token of a session at this controller for later runs, readable by the user only; an
// empty one is forgotten.
absl::Status SaveSession(const Environment& environment, const std::string& controller,
                         const std::string& token);

}  // namespace fairlead::cli
