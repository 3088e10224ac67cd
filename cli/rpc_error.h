// gRPC statuses as sentences for people.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace fairlead::cli {

enum class Wire { kPlain, kEncrypted };

// Whom a call is made to.
struct DialledController {
  std::string address;
  Wire wire = Wire::kPlain;
};

// What, where and why, then the way out. `timeout` is of the call.
absl::Status DescribeRpcError(const grpc::Status& status, const DialledController& controller,
                              absl::Duration timeout);

}  // namespace fairlead::cli
