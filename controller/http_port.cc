#include "controller/http_port.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "controller/office.h"

namespace fairlead::controller {

absl::StatusOr<http::Server::Options> HttpPortOptions(const std::string& listen,
                                                      const Limits& limits) {
  uint32_t port = 0;
  // Without a colon there is no port.
  if (!absl::SimpleAtoi(PortOf(listen), &port) || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--http-listen: \"", listen, "\" is not address:port"));
  }
  http::Server::Options options;
  options.address = HostOf(listen);
  // The server takes numbers only.
  if (options.address == "localhost") options.address = "127.0.0.1";
  options.port = static_cast<uint16_t>(port);
  options.connections.total = limits.http_connections;
  options.connections.per_address = limits.http_connections_per_address;
  return options;
}

}  // namespace fairlead::controller
