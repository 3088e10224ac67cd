#include "resources/host_bindings.h"

#include <arpa/inet.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::resources {
namespace {

bool IsAlnum(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) != 0; }

bool IsAddress(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// Takes "ip:" or "[ip]:" off `text`.
absl::StatusOr<std::string> TakeAddress(absl::string_view* text) {
  const std::size_t colon = text->rfind(':');
  if (colon == absl::string_view::npos) return std::string();
  absl::string_view address = text->substr(0, colon);
  text->remove_prefix(colon + 1);
  if (absl::ConsumePrefix(&address, "[")) absl::ConsumeSuffix(&address, "]");
  std::string out(address);
  if (!IsAddress(out)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", out, "\" is not an IP address"));
  }
  return out;
}

auto PortKey(const v1::ContainerSpec::Port& port) {
  return std::tie(port.host_ip(), port.protocol());
}

bool PortBefore(const v1::ContainerSpec::Port& a, const v1::ContainerSpec::Port& b) {
  return std::make_tuple(a.container_port(), a.host_port(), PortKey(a)) <
         std::make_tuple(b.container_port(), b.host_port(), PortKey(b));
}

bool SamePort(const v1::ContainerSpec::Port& a, const v1::ContainerSpec::Port& b) {
  return !PortBefore(a, b) && !PortBefore(b, a);
}

}  // namespace

bool IsDockerName(absl::string_view name) {
  return name.size() > 1 && IsAlnum(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return IsAlnum(c) || c == '_' || c == '.' || c == '-'; });
}

absl::StatusOr<PortRange> ParsePortRange(absl::string_view text, uint32_t smallest) {
  const std::pair<absl::string_view, absl::string_view> ends =
      absl::StrSplit(text, absl::MaxSplits('-', 1));
  const bool is_range = absl::StrContains(text, '-');
  PortRange range;
  if (!absl::SimpleAtoi(ends.first, &range.first) ||
      !absl::SimpleAtoi(is_range ? ends.second : ends.first, &range.last) ||
      range.first < smallest || range.last > 65535 || range.first > range.last) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a port or port range"));
  }
  return range;
}

absl::Status AddPorts(absl::string_view text, std::vector<v1::ContainerSpec::Port>* ports) {
  std::string protocol = "tcp";
  const std::size_t slash = text.find('/');
  if (slash != absl::string_view::npos) {
    protocol = absl::AsciiStrToLower(text.substr(slash + 1));
    text = text.substr(0, slash);
  }
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
    return absl::InvalidArgumentError(absl::StrCat("\"", protocol, "\" is not tcp, udp or sctp"));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError("expected host:container");
  }
  ASSIGN_OR_RETURN(const PortRange container,
                   ParsePortRange(absl::StripAsciiWhitespace(text.substr(colon + 1)), 1));
  absl::string_view host_text = text.substr(0, colon);
  ASSIGN_OR_RETURN(const std::string address, TakeAddress(&host_text));
  PortRange host;
  // "ip::80" lets the engine choose the host port.
  if (!(host_text.empty() && !address.empty())) {
    ASSIGN_OR_RETURN(host, ParsePortRange(absl::StripAsciiWhitespace(host_text), 0));
  }
  const bool chosen = host.last == 0;
  if (!chosen && host.last - host.first != container.last - container.first) {
    return absl::InvalidArgumentError("the ranges differ in length");
  }
  for (uint32_t i = 0; i <= container.last - container.first; ++i) {
    v1::ContainerSpec::Port& port = ports->emplace_back();
    port.set_host_ip(address);
    port.set_host_port(chosen ? 0 : host.first + i);
    port.set_container_port(container.first + i);
    port.set_protocol(protocol);
  }
  return absl::OkStatus();
}

absl::Status SetPorts(std::vector<v1::ContainerSpec::Port> ports, v1::ContainerSpec* spec) {
  if (ports.size() > kMostPorts) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kMostPorts, " ports"));
  }
  std::sort(ports.begin(), ports.end(), PortBefore);
  ports.erase(std::unique(ports.begin(), ports.end(), SamePort), ports.end());
  spec->mutable_ports()->Assign(ports.begin(), ports.end());
  return absl::OkStatus();
}

absl::Status AddMount(const std::string& source, const std::string& rest, v1::ContainerSpec* spec) {
  if (!absl::StartsWith(source, "/") && !IsDockerName(source)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", source, "\" is neither an absolute path on the host nor the name of a volume"));
  }
  const std::pair<std::string, std::string> parts = absl::StrSplit(rest, absl::MaxSplits(':', 1));
  if (!absl::StartsWith(parts.first, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", parts.first, "\" is not an absolute path in the container"));
  }
  v1::ContainerSpec::Mount* mount = spec->add_mounts();
  mount->set_source(source);
  mount->set_target(parts.first);
  mount->set_options(parts.second);
  return absl::OkStatus();
}

}  // namespace fairlead::resources
