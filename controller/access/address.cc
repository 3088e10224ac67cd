#include "controller/access/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace fairlead::access {
namespace {

using Bytes = std::array<unsigned char, 16>;
constexpr int kMappedBits = 96;
constexpr std::size_t kSiteBytes = 8;

std::optional<Bytes> BytesOf(absl::string_view text) {
  const std::string address(text);
  Bytes bytes{};
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return bytes;
  bytes = {};
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  if (inet_pton(AF_INET, address.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

}  // namespace

std::string AddressOfPeer(absl::string_view peer) {
  if (absl::StartsWith(peer, "unix:")) return "unix";
  absl::string_view rest = peer;
  if (!absl::ConsumePrefix(&rest, "ipv4:") && !absl::ConsumePrefix(&rest, "ipv6:")) {
    return std::string(peer);
  }
  const std::size_t colon = rest.rfind(':');
  if (colon == absl::string_view::npos) return std::string(rest);
  return absl::StrReplaceAll(rest.substr(0, colon),
                             {{"%5B", ""}, {"%5D", ""}, {"[", ""}, {"]", ""}});
}

std::string SiteOf(const std::string& address) {
  Bytes bytes{};
  // With a dot it is one of IPv4, mapped or not: all mapped ones have the same first bits.
  if (absl::StrContains(address, '.') || inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) {
    return address;
  }
  std::fill(bytes.begin() + kSiteBytes, bytes.end(), 0);
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

absl::StatusOr<Network> Network::Parse(absl::string_view text) {
  const std::size_t slash = text.find('/');
  const absl::string_view address = text.substr(0, slash);
  const std::optional<Bytes> bytes = BytesOf(address);
  if (!bytes.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is no network: write an address, or ADDRESS/BITS such as 10.0.0.0/8"));
  }
  Network network;
  network.bytes_ = *bytes;
  if (slash == absl::string_view::npos) return network;
  const bool is_v4 = !absl::StrContains(address, ":");
  const int most = is_v4 ? 128 - kMappedBits : 128;
  int bits = 0;
  if (!absl::SimpleAtoi(text.substr(slash + 1), &bits) || bits < 0 || bits > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is no network: after / stands a number from 0 to ", most));
  }
  network.bits_ = is_v4 ? bits + kMappedBits : bits;
  return network;
}

bool Network::Contains(absl::string_view address) const {
  const std::optional<Bytes> bytes = BytesOf(address);
  if (!bytes.has_value()) return false;
  const auto whole = static_cast<std::ptrdiff_t>(bits_ / 8);
  if (!std::equal(bytes->begin(), bytes->begin() + whole, bytes_.begin())) return false;
  const int rest = bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
  const auto at = static_cast<std::size_t>(whole);
  return ((*bytes)[at] & mask) == (bytes_[at] & mask);
}

}  // namespace fairlead::access
