// Addresses that calls come from, and networks that they may come from.
#pragma once

#include <array>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::access {

// The IP address of gRPC's peer text: "ipv4:10.0.0.7:41234" is "10.0.0.7", "ipv6:%5B::1%5D:9" is
// "::1", a socket is "unix"; what cannot be read stays as it is.
std::string AddressOfPeer(absl::string_view peer);

// Whom an address counts for: of IPv6 the 64 bits that one site has, "2001:db8::"; all else as it
// is.
std::string SiteOf(const std::string& address);

// Addresses with the same first bits. A value.
class Network {
 public:
  // "10.0.0.0/8", "2001:db8::/32", or one address. InvalidArgument says what is wrong.
  static absl::StatusOr<Network> Parse(absl::string_view text);

  // Whether the text is an address within. An IPv4 address and the same mapped into IPv6 are one.
  bool Contains(absl::string_view address) const;

 private:
  // IPv4 as ::ffff:a.b.c.d.
  std::array<unsigned char, 16> bytes_{};
  int bits_ = 128;
};

}  // namespace fairlead::access
