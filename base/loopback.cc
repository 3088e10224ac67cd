#include "base/loopback.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace fairlead::base {
namespace {

constexpr unsigned char kFirstOfLoopback = 127;

bool IsLoopbackV4(const std::string& text) {
  std::array<unsigned char, 4> bytes{};
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 && bytes[0] == kFirstOfLoopback;
}

bool IsLoopbackV6(const std::string& text) {
  constexpr std::array<unsigned char, 16> kOwn{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::array<unsigned char, 13> kMapped{
      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, kFirstOfLoopback};
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1 &&
         (bytes == kOwn || std::equal(kMapped.begin(), kMapped.end(), bytes.begin()));
}

}  // namespace

bool IsLoopbackHost(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) {
    return absl::ConsumeSuffix(&host, "]") && IsLoopbackV6(std::string(host));
  }
  const std::string text(host);
  return text == "localhost" || IsLoopbackV4(text) || IsLoopbackV6(text);
}

bool IsLoopbackAddress(absl::string_view address) {
  if (absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:")) {
    return true;
  }
  const std::size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return IsLoopbackHost(address);
  // Without brackets, several colons are those of IPv6, and no port follows.
  const bool has_port =
      absl::StartsWith(address, "[") ? address[colon - 1] == ']' : address.find(':') == colon;
  return IsLoopbackHost(has_port ? address.substr(0, colon) : address);
}

}  // namespace fairlead::base
