#include "resources/health_probe.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::resources {
namespace {

using Probe = v1::ContainerSpec::Healthcheck::Probe;

constexpr uint32_t kHttpPort = 80;
constexpr std::size_t kLongestUrl = 2048;

// What would end a line of the request, or is no part of a URL.
bool HasOddCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return !absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '#' || c == '@';
  });
}

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" ", why));
}

// Takes the port off "host:port"; `host` is what is left. 0 without one.
absl::StatusOr<uint32_t> TakePort(absl::string_view* host) {
  const std::size_t colon = host->rfind(':');
  const std::size_t bracket = host->rfind(']');
  const bool in_address = bracket != absl::string_view::npos && colon < bracket;
  if (colon == absl::string_view::npos || in_address) return 0;
  const absl::string_view text = host->substr(colon + 1);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(text, &port) || port == 0 || port > 65535) {
    return Bad(text, "is not a port");
  }
  host->remove_suffix(text.size() + 1);
  return port;
}

}  // namespace

absl::StatusOr<Probe> ParseHttpProbe(absl::string_view url) {
  absl::string_view rest = url;
  if (absl::StartsWith(url, "https://")) {
    return Bad(url, "is https, which is not asked; use http, tcp or command");
  }
  if (!absl::ConsumePrefix(&rest, "http://")) {
    return Bad(url, "is not a URL such as http://localhost:8080/health");
  }
  if (url.size() > kLongestUrl) {
    return absl::InvalidArgumentError(absl::StrCat("is longer than ", kLongestUrl, " characters"));
  }
  if (HasOddCharacter(rest)) return Bad(url, "has a character that is no part of such a URL");
  const std::size_t end = rest.find_first_of("/?");
  absl::string_view host = rest.substr(0, end);
  Probe probe;
  const std::string path(end == absl::string_view::npos ? "" : rest.substr(end));
  probe.set_path(absl::StartsWith(path, "/") ? path : absl::StrCat("/", path));
  probe.set_host(host.empty() || host.front() == ':' ? absl::StrCat("localhost", host)
                                                     : std::string(host));
  ASSIGN_OR_RETURN(const uint32_t port, TakePort(&host));
  probe.set_port(port == 0 ? kHttpPort : port);
  return probe;
}

absl::StatusOr<Probe> ParseTcpProbe(absl::string_view address) {
  absl::string_view host = address;
  ASSIGN_OR_RETURN(const uint32_t port, TakePort(&host));
  if (port == 0 || HasOddCharacter(host) || absl::StrContains(host, '/')) {
    return Bad(address, "is not host:port");
  }
  Probe probe;
  probe.set_port(port);
  return probe;
}

bool CanProbe(absl::string_view network) {
  return network != "none" && !absl::StartsWith(network, "container:");
}

}  // namespace fairlead::resources
