// What others may take of the controller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

#include "base/connection_table.h"
#include "controller/access/call_rates.h"

namespace fairlead::controller {

// A value; docs/security.md has the table of it.
struct Limits {
  // Of the gRPC port. Each takes two descriptors.
  uint32_t connections = 8192;
  // Thousands of agents may stand behind one address.
  uint32_t connections_per_address = 4096;
  // Of the HTTP port, where requests are short.
  uint32_t http_connections = 1024;
  uint32_t http_connections_per_address = 256;
  // Calls at a time on one gRPC connection.
  uint32_t streams = 100;
  // Of one message of gRPC; a webhook's is limited by http::Server.
  uint32_t request_mib = 64;
  // By one identity, or by one address where none is proven; ten times as many after a pause.
  uint32_t calls_per_second = 100;

  base::ConnectionLimits OfGrpc() const;
  access::CallRateLimits OfCalls() const;
};

// Until TLS and HTTP/2 are agreed upon.
inline constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
// Until a caller has proven who it is.
inline constexpr absl::Duration kProofTimeout = absl::Seconds(30);
// Without any call.
inline constexpr absl::Duration kIdleTimeout = absl::Minutes(10);
// gRPC ends connections rather than keep more than this of what was received and not taken.
inline constexpr std::size_t kGrpcMemory = std::size_t{1} << 30;
// Of the names and values that head a call.
inline constexpr int kMetadataBytes = 16 << 10;

// Lets this process have as many open files as the system allows it.
void RaiseDescriptorLimit();

// The same with no more connections than this process can have descriptors for; the log says so.
Limits FitToDescriptors(const Limits& limits);

}  // namespace fairlead::controller
